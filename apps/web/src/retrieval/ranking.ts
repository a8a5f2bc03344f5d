/** Rankings made one: reciprocal rank fusion, which needs no common scale of scores. */

/** Softens the difference between the first ranks; the value of the method's authors (Cormack et al., 2009). */
const K = 60;

/** Indices of positive scores, the best first; equal ones in their order. */
export function ranked(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (score, index) => ({ score, index }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .map(({ index }) => index);
}

/**
 * One ranking out of several; what stands in none is left out.
 * @param weights of the rankings; default 1 each.
 */
export function fused(
  rankings: readonly (readonly number[])[],
  weights: readonly number[] = rankings.map(() => 1),
): number[] {
  const sums = new Map<number, number>();
  for (const [i, ranking] of rankings.entries()) {
    ranking.forEach((index, rank) => {
      sums.set(index, (sums.get(index) ?? 0) + weights[i] / (K + rank + 1));
    });
  }
  return [...sums].sort(([a, x], [b, y]) => y - x || a - b).map(([index]) => index);
}

/** Of vectors of unit length: the cosine of the angle between them. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * (b[i] ?? 0);
  return sum;
}
