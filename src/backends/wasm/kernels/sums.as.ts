/** Small steps that the tiles of the matrix products share. */

/** The sums of the four lanes of a, b, c and d, in this order. */
export function laneSums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** The same for f32 lanes: (0 + 2) + (1 + 3). */
export function laneSumsF32(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

/** The first f32 of four (d, dmin) pairs that are `stride` bytes apart. */
export function gatherD(pairs: usize, stride: usize): v128 {
  const low = v128.load32_lane(pairs + stride, v128.load32_zero(pairs), 1);
  return v128.load32_lane(pairs + 3 * stride, v128.load32_lane(pairs + 2 * stride, low, 2), 3);
}
