/**
 * Activations as bytes: a record a group of 256: the scale as f32, the i16 sums of every 32 codes, those of every 16, the
 * codes. TypeScript and AssemblyScript at once. Offsets and sizes in bytes.
 */
export const BYTE_SUMS32 = 16;
export const BYTE_SUMS16 = 32;
export const BYTE_CODES = 64;
export const BYTE_RECORD = 320;
