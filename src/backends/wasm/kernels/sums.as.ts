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

/** Four f32 that are `stride` bytes apart. */
export function gatherF32(at: usize, stride: usize): v128 {
  const low = v128.load32_lane(at + stride, v128.load32_zero(at), 1);
  return v128.load32_lane(at + 3 * stride, v128.load32_lane(at + 2 * stride, low, 2), 3);
}

/** The first `count` (1 to 4) of four f32, zeros in place of the others; all zeros if `zero`. */
export function loadOutputs(y: usize, count: i32, zero: bool): v128 {
  if (zero) return f32x4.splat(0);
  if (count == 4) return v128.load(y);
  let outputs = v128.load32_zero(y);
  if (count > 1) outputs = v128.load32_lane(y, outputs, 1, 4);
  if (count > 2) outputs = v128.load32_lane(y, outputs, 2, 8);
  return outputs;
}

/** Stores the first `count` lanes. */
export function storeOutputs(y: usize, outputs: v128, count: i32): void {
  if (count == 4) {
    v128.store(y, outputs);
    return;
  }
  v128.store32_lane(y, outputs, 0);
  if (count > 1) v128.store32_lane(y, outputs, 1, 4);
  if (count > 2) v128.store32_lane(y, outputs, 2, 8);
}

/** The sum of four i32 lanes. */
export function laneSum(lanes: v128): i32 {
  const pairs = i32x4.add(lanes, v128.shuffle<i64>(lanes, lanes, 1, 0));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

/** y and four f32, added one after the other. */
export function addInOrder(y: f32, four: v128): f32 {
  y += f32x4.extract_lane(four, 0);
  y += f32x4.extract_lane(four, 1);
  y += f32x4.extract_lane(four, 2);
  return y + f32x4.extract_lane(four, 3);
}
