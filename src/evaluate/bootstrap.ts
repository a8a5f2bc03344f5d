/**
 * Block bootstrap over chunks: how far a figure would move with another text of the same kind. Tokens of one chunk
 * depend on each other, so whole chunks are drawn, with replacement. Every figure and every model that uses the same
 * `Resamples` sees the same draws, so differences between models on the same tokens are paired.
 */

/** How often each chunk was drawn, one array a replicate. */
export type Resamples = readonly Uint16Array[];

/** Enough for two digits of a standard error. */
const REPLICATES = 1000;

/** Any number: it only has to be the same in every run. */
const SEED = 20250131;

/** Share of the replicates inside an interval. */
export const CONFIDENCE = 0.95;

/** Uniform integers below `below`, the same in every run (xorshift32). */
function draws(seed: number, below: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

/** Draws `chunks` chunks of `chunks`, `replicates` times; none for a single chunk, which says nothing of others. */
export function resample(chunks: number, replicates = REPLICATES, seed = SEED): Resamples {
  if (chunks < 2) return [];
  const draw = draws(seed, chunks);
  return Array.from({ length: replicates }, () => {
    const counts = new Uint16Array(chunks);
    for (let i = 0; i < chunks; i++) counts[draw()]++;
    return counts;
  });
}

/** What the replicates of a figure say: its standard error and the interval that holds `CONFIDENCE` of them. */
export interface Spread {
  readonly se: number;
  readonly low: number;
  readonly high: number;
}

/** Undefined where there are no replicates, or where one is not a number. */
export function spread(replicates: Float64Array): Spread | undefined {
  const n = replicates.length;
  if (n < 2 || replicates.some(Number.isNaN)) return undefined;
  const center = replicates.reduce((sum, value) => sum + value, 0) / n;
  const squares = replicates.reduce((sum, value) => sum + (value - center) ** 2, 0);
  const sorted = replicates.slice().sort();
  const at = (share: number): number => sorted[Math.round((n - 1) * share)];
  return { se: Math.sqrt(squares / (n - 1)), low: at((1 - CONFIDENCE) / 2), high: at((1 + CONFIDENCE) / 2) };
}

/** A statistic of each replicate. */
export function replicate(resamples: Resamples, statistic: (counts: Uint16Array) => number): Float64Array {
  return Float64Array.from(resamples, statistic);
}

/** Values in order, with the chunk that each is of: what percentiles of a replicate need, sorted only once. */
export interface Ordered {
  readonly values: Float64Array;
  readonly chunks: Uint32Array;
  /** Values of each chunk. */
  readonly sizes: Uint32Array;
}

/** @param chunkOf chunk of each value. */
export function ordered(values: Float64Array, chunkOf: Uint32Array): Ordered {
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const sizes = new Uint32Array(chunkOf.reduce((most, chunk) => Math.max(most, chunk), 0) + 1);
  for (const chunk of chunkOf) sizes[chunk]++;
  return {
    values: Float64Array.from(order, (i) => values[i]),
    chunks: Uint32Array.from(order, (i) => chunkOf[i]),
    sizes,
  };
}

/**
 * Percentiles of one replicate, each value counted as often as its chunk was drawn; see `percentile`.
 * @param shares ascending.
 */
export function resampledPercentiles(
  { values, chunks, sizes }: Ordered,
  counts: Uint16Array,
  shares: readonly number[],
): number[] {
  const total = sizes.reduce((sum, size, chunk) => sum + size * counts[chunk], 0);
  // Value at each rank that is asked for, in one pass: ranks ascend, so does the running count.
  let at = -1;
  let seen = 0;
  const valueAt = (rank: number): number => {
    while (seen <= rank) seen += counts[chunks[++at]];
    return values[at];
  };
  return shares.map((share) => {
    const rank = (total - 1) * share;
    const below = Math.floor(rank);
    const low = valueAt(below);
    const [atLow, seenLow] = [at, seen];
    const high = valueAt(Math.min(below + 1, total - 1));
    // The next share may want the lower of the two again.
    [at, seen] = [atLow, seenLow];
    return low + (high - low) * (rank - below);
  });
}
