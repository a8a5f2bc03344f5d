/**
 * The filters, in the order in which they apply, which is that of transformers: each works on what the one before left,
 * probabilities made to add up to 1 again.
 */
import type { Candidates } from './candidates.ts';
import type { SamplingOptions } from './options.ts';
import { ranked } from './ranking.ts';

/** @param random a number from 0 to below 1, another one each time. */
type Filter = (candidates: Candidates, options: SamplingOptions, random: () => number) => void;

/** First look at the nearest, and by how much it grows while their share is too small. */
const FIRST_LOOK = 64;
const GROWTH = 8;

/**
 * Locally typical sampling (Meister et al. 2022): near to the expected surprise first, until the share is reached. Of
 * tokens that are equally near, all or none, as in transformers.
 */
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
  for (; count < ids.length; count++) {
    if (count === nearest.length) nearest = ranked(nearness, Math.max(FIRST_LOOK, count * GROWTH));
    const isTie = count > 0 && nearness[nearest[count]] === nearness[nearest[count - 1]];
    if (count > 0 && sum >= share * total && !isTie) break;
    sum += candidates.weight(ids[nearest[count]]);
  }
  candidates.keepOnly(nearest.subarray(0, count).map((at) => ids[at]));
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
