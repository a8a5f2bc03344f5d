/** How 4- and 5-bit codes of 32 weights, a byte each, lie in a block; the SIMD twin of nibbles.ts. */

/** The low nibbles of 32 codes as 16 bytes: the first 16 codes in the low nibbles. */
export function packNibbles(dst: usize, codes: usize): void {
  const lower = v128.and(v128.load(codes), i8x16.splat(15));
  v128.store(dst, v128.or(lower, i8x16.shl(v128.load(codes, 16), 4)));
}

/** The fifth bits of 32 codes: bit i is that of code i. */
export function fifthBits(codes: usize): u32 {
  const low = <u32>i8x16.bitmask(i8x16.shl(v128.load(codes), 3));
  const high = <u32>i8x16.bitmask(i8x16.shl(v128.load(codes, 16), 3));
  return low | (high << 16);
}
