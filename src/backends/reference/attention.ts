/**
 * Attention of one query over one head's keys and values, in f64, by both algorithms. `n` positions, head size D.
 * Eager holds all scores; flash walks tiles and keeps a running maximum, so that scores need no room.
 */
import type { AttentionAlgorithm } from '../../graph/index.ts';
import type { Matrix } from './memory.ts';

/** Keys and values of one head: columns `column .. column + D` of rows `from .. to`. */
export interface HeadRange {
  readonly keys: Matrix;
  readonly values: Matrix;
  readonly column: number;
  readonly from: number;
  readonly to: number;
}

type Attend = (q: Float32Array, range: HeadRange, scale: number) => Float64Array;

/** Positions that flash looks at together. Small, so that tests cross the edge of a tile. */
const TILE = 32;

function score(q: Float32Array, { keys, column }: HeadRange, position: number, scale: number): number {
  const key = keys.row(position);
  let sum = 0;
  for (let i = 0; i < q.length; i++) sum += q[i] * key[column + i];
  return sum * scale;
}

function addValue(into: Float64Array, { values, column }: HeadRange, position: number, weight: number): void {
  const value = values.row(position);
  for (let i = 0; i < into.length; i++) into[i] += weight * value[column + i];
}

const eager: Attend = (q, range, scale) => {
  const scores = Float64Array.from({ length: range.to - range.from }, (_, i) =>
    score(q, range, range.from + i, scale),
  );
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = scores.map((value) => Math.exp(value - most));
  const total = weights.reduce((a, b) => a + b, 0);
  const out = new Float64Array(q.length);
  for (const [i, weight] of weights.entries()) addValue(out, range, range.from + i, weight / total);
  return out;
};

const flash: Attend = (q, range, scale) => {
  const out = new Float64Array(q.length);
  let most = Number.NEGATIVE_INFINITY;
  let total = 0;
  for (let start = range.from; start < range.to; start += TILE) {
    const count = Math.min(TILE, range.to - start);
    const scores = Float64Array.from({ length: count }, (_, i) => score(q, range, start + i, scale));
    const above = scores.reduce((a, b) => Math.max(a, b), most);
    // What was summed so far was relative to a smaller maximum.
    const shrink = Math.exp(most - above);
    out.forEach((value, i) => {
      out[i] = value * shrink;
    });
    total *= shrink;
    most = above;
    scores.forEach((value, i) => {
      const weight = Math.exp(value - most);
      total += weight;
      addValue(out, range, start + i, weight);
    });
  }
  return out.map((value) => value / total);
};

export const ATTEND = { eager, flash } as const satisfies Record<AttentionAlgorithm, Attend>;
