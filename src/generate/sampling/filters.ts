/**
 * The filters, in the order in which they apply, which is that of transformers: each works on what the one before left,
 * probabilities made to add up to 1 again.
 */
import type { Candidates } from './candidates.ts';
import type { SamplingOptions } from './options.ts';

type Filter = (candidates: Candidates, options: SamplingOptions) => void;

/** Locally typical sampling (Meister et al. 2022): near to the expected surprise first, until the share is reached. */
function keepTypical(candidates: Candidates, share: number): void {
  const ids = Int32Array.from(candidates.ids());
  const total = candidates.total();
  const surprise = (id: number): number => -Math.log(candidates.weight(id) / total);
  const entropy = ids.reduce((sum, id) => {
    const p = candidates.weight(id) / total;
    return p > 0 ? sum - p * Math.log(p) : sum;
  }, 0);
  const distance = new Map(Array.from(ids, (id) => [id, Math.abs(surprise(id) - entropy)]));
  const far = (id: number): number => distance.get(id) ?? Number.POSITIVE_INFINITY;
  ids.sort((a, b) => far(a) - far(b) || a - b);
  let sum = 0;
  let count = 0;
  while (count < ids.length && (count === 0 || sum < share * total)) sum += candidates.weight(ids[count++]);
  candidates.keepOnly(ids.subarray(0, count));
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
