/**
 * A row of log-probabilities in 16 bits, as llama.cpp's base files have it: f32 scale, f32 minimum, then a code q of
 * 16 bits a token, ln p = scale * q + minimum. Logits are cut off `DEPTH` below the largest one. Letter: V vocabulary.
 */

/** Logits further below the largest one than this, in nats, are stored as if they were there. */
const DEPTH = 16;

/** Readers leave out what is less likely than e^-16: those may be entries that were cut off. */
export const LEAST_LOG_PROB = -16;

/** A log-probability whose exponential is 0, without the NaN that minus infinity brings. */
const IMPOSSIBLE = -1000;

const CODES = 65535;

/** Codes a row: four for scale and minimum, then V, rounded up to even. */
export function rowCodes(vocabulary: number): number {
  return 4 + 2 * Math.ceil(vocabulary / 2);
}

/** @param row `rowCodes(V)` codes, written. */
export function encodeLogProbs(logits: Float32Array, row: Uint16Array): void {
  let [most, least] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const logit of logits) {
    if (logit > most) most = logit;
    if (logit < least) least = logit;
  }
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const floor = Math.max(least, most - DEPTH);
  const head = Float32Array.of((most - floor) / CODES, floor - most - Math.log(sum));
  row.set(new Uint16Array(head.buffer));
  const [scale] = head;
  for (let i = 0; i < logits.length; i++) {
    row[4 + i] = logits[i] > floor ? Math.min(CODES, Math.round((logits[i] - floor) / scale)) : 0;
  }
}

/** What is in a row. */
export interface RowHead {
  readonly scale: number;
  readonly minimum: number;
}

export function rowHead(row: Uint16Array): RowHead {
  const [scale, minimum] = new Float32Array(row.slice(0, 4).buffer);
  return { scale, minimum };
}

/**
 * The log-probabilities of a row into `into` [V]; entries that may have been cut off become impossible.
 * @returns the probability that the others sum to.
 */
export function decodeLogProbs(row: Uint16Array, into: Float32Array): number {
  const { scale, minimum } = rowHead(row);
  let mass = 0;
  for (let i = 0; i < into.length; i++) {
    const value = scale * row[4 + i] + minimum;
    const counts = value > LEAST_LOG_PROB;
    into[i] = counts ? value : IMPOSSIBLE;
    if (counts) mass += Math.exp(value);
  }
  return mass;
}
