/** How 4- and 5-bit codes of 32 weights lie in bytes: the same in every format with such blocks. */

/** The low nibbles of 32 codes from `from` on as 16 bytes: the first 16 codes in the low nibbles. */
export function packNibbles(dst: Uint8Array, at: number, codes: Uint8Array, from = 0): void {
  for (let i = 0; i < 16; i++) dst[at + i] = (codes[from + i] & 15) | ((codes[from + 16 + i] & 15) << 4);
}

/** The fifth bits of 32 codes as a u32: bit i is that of code i. */
export function fifthBits(codes: Uint8Array): number {
  return codes.reduce((bits, code, i) => bits | ((code >> 4) << i), 0);
}
