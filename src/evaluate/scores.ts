/** What was measured, token by token: columns of numbers, all of one length, in the order of the text. */

/** A model beside a base on the same tokens. Probabilities are those of the text's own next token. */
export interface BaseColumns {
  /** Negative log-likelihood by the base, nats. */
  readonly baseNll: Float64Array;
  /** Kullback-Leibler divergence of the model from the base, nats. */
  readonly divergence: Float64Array;
  /** 1 where both find the same token most likely, else 0. */
  readonly sameTop: Float64Array;
  readonly p: Float64Array;
  readonly baseP: Float64Array;
}

export interface Scores {
  /** Windows (chunks) of the text. */
  readonly windows: number;
  /** Window of each token. */
  readonly windowOf: Uint32Array;
  /** Negative log-likelihood, nats. */
  readonly nll: Float64Array;
  readonly base: BaseColumns | undefined;
}

/** Room for the scores of `windows` windows of `rows` scored tokens each. */
export function emptyScores(windows: number, rows: number, withBase: boolean): Scores {
  const column = (): Float64Array => new Float64Array(windows * rows);
  return {
    windows,
    windowOf: Uint32Array.from({ length: windows * rows }, (_, i) => Math.floor(i / rows)),
    nll: column(),
    base: withBase
      ? { baseNll: column(), divergence: column(), sameTop: column(), p: column(), baseP: column() }
      : undefined,
  };
}
