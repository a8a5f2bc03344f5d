/**
 * The filters, in the order in which they apply, which is that of transformers: each works on what the one before left,
 * probabilities made to add up to 1 again.
 */
import type { Candidates } from './candidates.ts';
import type { SamplingOptions } from './options.ts';
import { largest } from './ranking.ts';

type Filter = (candidates: Candidates, options: SamplingOptions) => void;

/** First look at the nearest, and by how much it grows while their share is too small. */
const FIRST_LOOK = 64;
const GROWTH = 8;

/** Locally typical sampling (Meister et al. 2022): near to the expected surprise first, until the share is reached. */
function keepTypical(candidates: Candidates, share: number): void {
  const ids = candidates.ids();
  const surprises = candidates.surprises();
  const total = candidates.total();
  let entropy = 0;
  for (let at = 0; at < ids.length; at++) {
    const p = candidates.weight(ids[at]) / total;
    if (p > 0) entropy += p * surprises[at];
  }
  const nearness = new Float32Array(ids.length);
  for (let at = 0; at < ids.length; at++) nearness[at] = -Math.abs(surprises[at] - entropy);
  let nearest: Int32Array = new Int32Array();
  let sum = 0;
  let count = 0;
  while (count < ids.length && (count === 0 || sum < share * total)) {
    if (count === nearest.length) {
      nearest = largest(nearness, Math.max(FIRST_LOOK, count * GROWTH));
    }
    sum += candidates.weight(ids[nearest[count++]]);
  }
  candidates.keepOnly(nearest.subarray(0, count).map((at) => ids[at]));
}

export const FILTERS: readonly Filter[] = [
  (candidates, { topK }) => {
    if (topK > 0 && topK < candidates.size) candidates.keepTop(topK);
  },
  (candidates, { topP }) => {
    if (topP >= 1) return;
    const enough = topP * candidates.total();
    candidates.keepWhile((_, before) => before < enough);
  },
  (candidates, { minP }) => {
    if (minP > 0) candidates.keepWhile((weight) => weight >= minP);
  },
  (candidates, { typicalP }) => {
    if (typicalP < 1) keepTypical(candidates, typicalP);
  },
];
