/**
 * How quantized activations lie in memory; written by activations.engine.as.ts, read by the integer products.
 *
 * Tokens go in pairs: group 0 of token 0, group 0 of token 1, group 1 of token 0, ...; so a tile finds both tokens of
 * a pair at one address. A single last token leaves gaps for its missing partner.
 */

/** Weights of a group in formats of 256; the others have groups of 32 or 16. */
export const WIDE: i32 = 256;
/** Where the i16 sums and the scale of a wide group's record lie, in bytes. */
export const WIDE_SUMS: usize = 512;
export const WIDE_SCALE: usize = 544;
/** Bytes of the record of a wide group: 256 i16 codes, 16 i16 sums, the scale, padding. */
export const WIDE_RECORD: usize = 576;

/** Bytes of the record of a group of 32 or 16: room for 32 codes, then the scale and scale * sum, padding. */
export const NARROW_RECORD: usize = 80;
export const NARROW_SCALE: usize = 64;
export const NARROW_SUM: usize = 68;

/** Bytes of the record of a group. */
export function recordBytes(group: i32): usize {
  return group == WIDE ? WIDE_RECORD : NARROW_RECORD;
}

/** Address of group 0 of a token; its next groups follow 2 records apart. @param groups a token's. */
export function recordAt(records: usize, token: i32, groups: i32, group: i32): usize {
  return records + (<usize>(token >> 1) * groups * 2 + (token & 1)) * recordBytes(group);
}
