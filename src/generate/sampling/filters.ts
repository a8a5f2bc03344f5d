/**
 * The filters, in the order in which they apply, which is that of transformers: each works on what the one before left,
 * probabilities made to add up to 1 again.
 */
import type { Candidates } from './candidates.ts';
import type { SamplingOptions } from './options.ts';

/** @param random a number from 0 to below 1, another one each time. */
type Filter = (candidates: Candidates, options: SamplingOptions, random: () => number) => void;

/**
 * Locally typical sampling (Meister et al. 2022): near to the expected surprise first, until the share is reached. Of
 * tokens that are equally near, all or none, as in transformers.
 */
function keepTypical(candidates: Candidates, share: number): void {
  const all = candidates.ids();
  const total = candidates.total();
  const p = new Float64Array(all.length);
  let entropy = 0;
  for (let at = 0; at < p.length; at++) {
    p[at] = candidates.weight(all[at]) / total;
    if (p[at] > 0) entropy -= p[at] * Math.log(p[at]);
  }
  const distance = p.map((one) => Math.abs(-Math.log(one) - entropy));
  const order = new Int32Array(p.length).map((_, at) => at);
  order.sort((a, b) => distance[a] - distance[b] || all[a] - all[b]);
  let sum = 0;
  let count = 0;
  while (count < order.length && (count === 0 || sum < share * total)) {
    sum += candidates.weight(all[order[count++]]);
  }
  while (count < order.length && distance[order[count]] === distance[order[count - 1]]) count++;
  candidates.keepOnly(order.subarray(0, count).map((at) => all[at]));
}

/** XTC, exclude top choices (p-e-w, text-generation-webui #6335): of the likely tokens only the least likely stays. */
function excludeTop(candidates: Candidates, threshold: number): void {
  const ids = candidates.ids();
  const enough = threshold * candidates.total();
  const likely = ids.filter((id) => candidates.weight(id) >= enough);
  if (likely.length < 2) return;
  const last = likely.reduce((least, id) => (candidates.weight(id) <= candidates.weight(least) ? id : least));
  candidates.keepOnly(ids.filter((id) => id === last || candidates.weight(id) < enough));
}

export const FILTERS: readonly Filter[] = [
  (candidates, { topNSigma }) => {
    if (topNSigma <= 0) return;
    const least = Math.exp(-topNSigma * candidates.deviation());
    candidates.keepWhile((weight) => weight >= least);
  },
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
  (candidates, { xtcProbability, xtcThreshold }, random) => {
    if (xtcProbability > 0 && random() < xtcProbability) excludeTop(candidates, xtcThreshold);
  },
];
