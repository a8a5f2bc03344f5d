/**
 * How likely a model finds tokens: ln p over the whole vocabulary, of its raw logits. Bias, penalties, grammars,
 * temperature and filters do not show in it.
 */
import { expBelow0 } from './sampling/exponential.ts';
import { largest } from './sampling/ranking.ts';

/** A token, and ln p of it. */
export interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
}

/** ln of the sum of e^logit, in f64; NaN counts as -Infinity. */
export function logSumExp(logits: Float32Array): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) if (logits[id] > top) top = logits[id];
  if (!Number.isFinite(top)) return top;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += expBelow0(logits[id] - top);
  return top + Math.log(sum);
}

/**
 * @param logits f32 [V].
 * @param top so many of the likeliest, at most V.
 */
export function logprobsOf(
  logits: Float32Array,
  id: number,
  top: number,
): { readonly logprob: number; readonly top: readonly TokenLogprob[] } {
  const total = logSumExp(logits);
  const ln = (one: number): number => logits[one] - total;
  const best = top > 0 ? Array.from(largest(logits, top)) : [];
  return { logprob: ln(id), top: best.map((one) => ({ id: one, logprob: ln(one) })) };
}
