/** How quantized activations lie in memory; written by activations.engine.as.ts, read by the integer products. */

/** Weights of a group in formats of 256; the others have groups of 32 or 16. */
export const WIDE: i32 = 256;
/** Where the i16 sums and the scale of a wide group's record lie, in bytes. */
export const WIDE_SUMS: usize = 512;
export const WIDE_SCALE: usize = 544;
/** Bytes of the record of a wide group: 256 i16 codes, 16 i16 sums, the scale, padding. */
export const WIDE_RECORD: usize = 576;

/** Bytes of the record of a group: i16 codes, then sums and scale. */
export function recordBytes(group: i32): usize {
  return group == WIDE ? WIDE_RECORD : (<usize>group << 1) + 16;
}
