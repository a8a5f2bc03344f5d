/** Floats to integers, as every kernel that quantizes activations does it. */

/** Groups whose largest value is below this become zeros: the scale's reciprocal would overflow. */
export const TINY: f32 = 1e-32;
/** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of an f32. */
const ROUNDER: f32 = 12582912;
const ROUNDER_BITS: i32 = 0x4b400000;

/** The largest magnitude of `count` values, a multiple of 4; NaN if there is one, so that it reaches the products. */
export function largestMagnitude(from: usize, count: i32): f32 {
  let largest = f32x4.splat(0);
  const end = from + (<usize>count << 2);
  for (; from < end; from += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(from)));
  return max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/** Eight values times `inverse`, rounded to the nearest integers. */
export function codes8(from: usize, inverse: v128): v128 {
  const rounder = f32x4.splat(ROUNDER);
  const bits = i32x4.splat(ROUNDER_BITS);
  const low = f32x4.add(f32x4.mul(v128.load(from), inverse), rounder);
  const high = f32x4.add(f32x4.mul(v128.load(from, 16), inverse), rounder);
  return i16x8.narrow_i32x4_s(i32x4.sub(low, bits), i32x4.sub(high, bits));
}
