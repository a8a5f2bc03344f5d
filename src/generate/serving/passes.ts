/** What is computed of a text without going on after it: its embedding, and how likely its tokens are. */
import { BitmillError } from '../../core/index.ts';
import { logprobsOf } from '../logprobs.ts';
import type { Pooling, ScoredToken } from './service.ts';
import type { Slot } from './slot.ts';

/** What a slot gives for `ids`, some of which it may hold. @returns [E], not of unit length yet. */
type Pool = (slot: Slot, ids: Int32Array, signal: AbortSignal) => Promise<ArrayLike<number>>;

/** T tokens, E width. */
const POOLS: Record<Pooling, Pool> = {
  last: async (slot, ids, signal) => {
    const end = ids.length - 1;
    if (slot.position < end) await slot.feed(ids.slice(slot.position, end), 'nothing', { signal });
    return slot.feed(ids.slice(end), 'hidden', { signal });
  },
  mean: async (slot, ids, signal) => {
    let sum = new Float64Array();
    const onPiece = (count: number, states: Float32Array) => {
      const width = states.length / count;
      if (sum.length === 0) sum = new Float64Array(width);
      for (let i = 0; i < states.length; i++) sum[i % width] += states[i];
    };
    await slot.feed(ids, 'hidden', { signal, onPiece });
    return sum.map((value) => value / ids.length);
  },
};

/** Poolings that look at the last token only, so that what is held of those before need not be computed. */
export const LOOKS_BACK: Record<Pooling, boolean> = { mean: true, last: false };

/** A vector f32 [E], of unit length where `normalize` is; the slot holds nothing where the pooling looks back. @throws failure: the model's states are not finite. */
export async function embedIn(
  slot: Slot,
  ids: Int32Array,
  { pooling, normalize }: { readonly pooling: Pooling; readonly normalize: boolean },
  signal: AbortSignal,
): Promise<Float32Array> {
  const vector = Float64Array.from(await POOLS[pooling](slot, ids, signal));
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(length)) {
    throw new BitmillError(
      'failure',
      `the final states of ${ids.length} tokens have length ${length}: it must be finite`,
    );
  }
  return Float32Array.from(vector, (value) => (normalize ? value / (length || 1) : value));
}

/** Log-probabilities of all tokens but the first, in a slot that holds nothing. */
export async function scoreIn(
  slot: Slot,
  ids: Int32Array,
  top: number,
  signal: AbortSignal,
): Promise<readonly ScoredToken[]> {
  const scored: ScoredToken[] = [];
  const onPiece = (count: number, logits: Float32Array) => {
    const size = logits.length / count;
    for (let row = 0; row < count; row++) {
      const id = ids[scored.length + 1];
      scored.push({ id, ...logprobsOf(logits.subarray(row * size, (row + 1) * size), id, top) });
    }
  };
  if (ids.length > 1) await slot.feed(ids.slice(0, -1), 'all', { signal, onPiece });
  return scored;
}
