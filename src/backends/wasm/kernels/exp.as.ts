/**
 * e^x of four f32 at once, within 2 units in the last place over the whole range; subnormal results included.
 * exp4(-inf) is 0, exp4(inf) is inf, NaN stays NaN.
 */

/** 1 / ln 2. */
const LOG2E: f32 = 1.44269504088896341;
/** ln 2 in two parts: products of the first with |n| <= 150 are exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440054690583e-4;
/** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the mantissa. */
const ROUND: f32 = 12582912;
/** Below, e^x rounds to 0; above, to infinity. */
const LOWEST: f32 = -104;
const HIGHEST: f32 = 89;

/** (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, interpolated at Chebyshev nodes: e^r within 1.1e-8. */
function tail(r: v128): v128 {
  let p = f32x4.splat(0.0013926184037700295);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.008363178931176662));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.041666556149721146));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.16666576266288757));
  return f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
}

/** e^x by lanes: x = n ln 2 + r, e^x = 2^n e^r. */
export function exp4(x: v128): v128 {
  // pmax and pmin keep a NaN of the first operand.
  const bounded = f32x4.pmin(f32x4.pmax(x, f32x4.splat(LOWEST)), f32x4.splat(HIGHEST));
  const shifted = f32x4.add(f32x4.mul(bounded, f32x4.splat(LOG2E)), f32x4.splat(ROUND));
  const n = f32x4.sub(shifted, f32x4.splat(ROUND));
  const high = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(LN2_HIGH)));
  const r = f32x4.sub(high, f32x4.mul(n, f32x4.splat(LN2_LOW)));
  const power = f32x4.add(f32x4.splat(1), f32x4.add(r, f32x4.mul(f32x4.mul(r, r), tail(r))));
  // 2^n in two factors: n runs from -150 to 128, beyond the exponents of one f32.
  const whole = i32x4.sub(shifted, i32x4.splat(0x4b400000));
  const half = i32x4.shr_s(whole, 1);
  const first = i32x4.shl(i32x4.add(half, i32x4.splat(127)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(whole, half), i32x4.splat(127)), 23);
  return f32x4.mul(f32x4.mul(power, first), second);
}

/** e^r - 1 for |r| <= ln 2 / 2, within 3 units in the last place: e^r near 1 without the loss of taking 1 away. */
export function expLess1(r: v128): v128 {
  return f32x4.add(r, f32x4.mul(f32x4.mul(r, r), tail(r)));
}
