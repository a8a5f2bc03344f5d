/**
 * e^x of f32 lanes, for softmax, gates and losses. x = n ln 2 + r, e^x = 2^n e^r with |r| <= ln 2 / 2 and e^r by a
 * polynomial. Within a unit in the last place over the whole range, subnormal results included; e^-inf is 0, e^inf is
 * inf, NaN stays NaN. The same steps at every level, so the same bits.
 */
import type { KernelBuilder } from '../kernel.ts';
import type { Vec } from '../x64/index.ts';

/** ln 2 in two parts: products of the first with |n| <= 150 are exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = Math.LN2 - LN2_HIGH;
/** Below, e^x rounds to 0; above, to infinity. */
const LOWEST = -104;
const HIGHEST = 89;
/**
 * 1.5 * 2^23: adding it leaves the nearest integer n in the low bits of the mantissa. 254 more, twice the bias of
 * exponents, so that a half of these bits is the exponent of 2^(n/2).
 */
const ROUND = 12582912 + 254;

/** (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, interpolated at Chebyshev nodes, highest power first: e^r within 1.1e-8. */
const TAIL = [
  0.0013926184037700295, 0.008363178931176662, 0.041666556149721146, 0.16666576266288757, 0.5,
] as const;

/** `p = coefficients[0] r^m + ... + coefficients[m]`. */
function polynomial(k: KernelBuilder, p: Vec, r: Vec, [first, ...others]: readonly number[]): void {
  k.x.vmovups(p, k.f32(first));
  for (const one of others) k.x.vfmadd213ps(p, r, k.f32(one));
}

/** p times 2^n. @param shifted n + ROUND. @param n is destroyed. */
function scale(k: KernelBuilder, p: Vec, n: Vec, shifted: Vec): void {
  if (k.level.avx512) {
    k.x.vscalefps(p, p, n);
    return;
  }
  // Two factors: n runs from -150 to 128, beyond the exponents of one f32. The first half rounds nothing.
  k.x.vpsrld(n, shifted, 1);
  k.x.vpsubd(shifted, shifted, n);
  k.x.vpslld(n, n, 23);
  k.x.vpslld(shifted, shifted, 23);
  k.x.vmulps(p, p, n);
  k.x.vmulps(p, p, shifted);
}

/**
 * Emits x = e^x, by lanes, in place. Takes three vector registers and gives them back.
 * @param atMost0 x is never above 0 (or is NaN): a step less.
 */
export function exp(k: KernelBuilder, x: Vec, { atMost0 = false } = {}): void {
  const [n, shifted, p] = k.vecs('exp', 3);
  // Of two operands where one is NaN these two take the second.
  k.x.vmovups(n, k.f32(LOWEST));
  k.x.vmaxps(x, n, x);
  if (!atMost0) {
    k.x.vmovups(n, k.f32(HIGHEST));
    k.x.vminps(x, n, x);
  }
  k.x.vmovups(shifted, k.f32(Math.LOG2E));
  k.x.vfmadd213ps(shifted, x, k.f32(ROUND));
  k.x.vsubps(n, shifted, k.f32(ROUND));
  k.x.vfnmadd231ps(x, n, k.f32(LN2_HIGH));
  k.x.vfnmadd231ps(x, n, k.f32(LN2_LOW));
  polynomial(k, p, x, [...TAIL, 1, 1]);
  scale(k, p, n, shifted);
  k.x.vmovaps(x, p);
  k.free(n, shifted, p);
}

/** Emits r = e^r - 1 for |r| <= ln 2 / 2, within 2 units in the last place: e^r near 1 without the loss of taking 1 away. */
export function expLess1(k: KernelBuilder, r: Vec): void {
  const [p, square] = k.vecs('expLess1', 2);
  polynomial(k, p, r, TAIL);
  k.x.vmulps(square, r, r);
  k.x.vfmadd231ps(r, square, p);
  k.free(p, square);
}
