/**
 * Statistics of one sample: means with their standard errors, covariances, percentiles. An uncertainty here treats
 * values as independent, as llama.cpp's tool does; `bootstrap.ts` has those that do not.
 */

/** A number and its standard error; the error is NaN where there is none. */
export interface Estimate {
  readonly value: number;
  readonly se: number;
}

export function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Covariance of the means of two paired samples: sample covariance / n. NaN for a single value. */
export function covarianceOfMeans(a: Float64Array, b: Float64Array): number {
  const n = a.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (a[i] - meanA) * (b[i] - meanB);
  return n < 2 ? Number.NaN : sum / (n * (n - 1));
}

export function meanWithError(values: Float64Array): Estimate {
  return { value: mean(values), se: Math.sqrt(covarianceOfMeans(values, values)) };
}

/** A share of `n` with its binomial error. */
export function shareWithError(share: number, n: number): Estimate {
  return { value: share, se: n < 2 ? Number.NaN : Math.sqrt((share * (1 - share)) / (n - 1)) };
}

/** The value at rank (n - 1) * p of a sorted sample, linear between neighbours. */
export function percentile(sorted: Float64Array, p: number): number {
  const rank = (sorted.length - 1) * p;
  const below = Math.floor(rank);
  const low = sorted[below];
  const high = sorted[Math.min(below + 1, sorted.length - 1)];
  return low + (high - low) * (rank - below);
}
