/** Losses of logits, in f64: what `loss` and `divergence` yield a row. */

/** Log-probabilities of logits; any constant added to a row changes nothing. */
export function logSoftmax(logits: Float32Array): Float64Array {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((sum, value) => sum + Math.exp(value - most), 0);
  return Float64Array.from(logits, (value) => value - most - Math.log(total));
}

/** Id of the largest logit, the first of equals. */
export function argmax(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** @throws Error: no such token. */
function checkTarget(target: number, vocabulary: number): void {
  if (!(target >= 0 && target < vocabulary)) throw new Error(`target ${target} of ${vocabulary} tokens`);
}

/** `[nll, id of the largest logit]`. */
export function lossRow(logits: Float32Array, target: number): number[] {
  checkTarget(target, logits.length);
  return [-logSoftmax(logits)[target], argmax(logits)];
}

/** `[nll, base nll, KL divergence, same top, p of the target, base p of the target]`. */
export function divergenceRow(logits: Float32Array, base: Float32Array, target: number): number[] {
  checkTarget(target, logits.length);
  const own = logSoftmax(logits);
  const other = logSoftmax(base);
  const divergence = other.reduce((sum, lnp, i) => {
    const p = Math.exp(lnp);
    // What the base gives no probability adds nothing, whatever the logits say.
    return p === 0 ? sum : sum + p * (lnp - own[i]);
  }, 0);
  const same = argmax(logits) === argmax(base) ? 1 : 0;
  return [-own[target], -other[target], divergence, same, Math.exp(own[target]), Math.exp(other[target])];
}
