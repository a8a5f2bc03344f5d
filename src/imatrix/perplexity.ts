/** Perplexity on the way: the mean of negative log-likelihoods, as it grows. */

/** Sums over the scored tokens, in f64: all that is needed to go on later. */
export interface LossSums {
  readonly nll: number;
  readonly squares: number;
  readonly tokens: number;
}

export const NO_LOSS: LossSums = { nll: 0, squares: 0, tokens: 0 };

export interface Perplexity {
  readonly value: number;
  /** Standard error, tokens taken as independent; undefined below two tokens. */
  readonly error: number | undefined;
  readonly tokens: number;
}

/** @param nll negative log-likelihoods of more tokens, nats. */
export function addLosses(sums: LossSums, nll: Float32Array): LossSums {
  return nll.reduce(
    (total, value) => ({
      nll: total.nll + value,
      squares: total.squares + value * value,
      tokens: total.tokens + 1,
    }),
    sums,
  );
}

/** Undefined before the first token. */
export function perplexityOf({ nll, squares, tokens }: LossSums): Perplexity | undefined {
  if (tokens === 0) return undefined;
  const mean = nll / tokens;
  const variance = Math.max(0, squares / tokens - mean * mean);
  const value = Math.exp(mean);
  return { value, error: tokens > 1 ? value * Math.sqrt(variance / (tokens - 1)) : undefined, tokens };
}

/**
 * Rows of a chunk whose next token is scored: the second half, so that each has some context. As llama.cpp does it.
 */
export function scoredRows(chunkSize: number): { readonly from: number; readonly to: number } {
  const from = Math.floor(chunkSize / 2);
  return { from, to: Math.max(from, chunkSize - 1) };
}
