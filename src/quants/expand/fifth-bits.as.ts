/** The fifth bits of Q5_0 and Q5_1, one a weight in a word. */

/** Bytes of all ones where the bit of the 16 at `at` is clear. */
export function clear(at: usize): v128 {
  const word = v128.load16_splat(at);
  const bytes = i8x16.shuffle(word, word, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  return i8x16.eq(v128.and(bytes, i64x2.splat(0x8040201008040201)), i8x16.splat(0));
}
