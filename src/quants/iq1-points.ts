/**
 * Nearest point of the 2048-point ternary grid of IQ1_S and IQ1_M, by looking at every point: the cost of a
 * point is a sum over its components, so 81 + 81 costs of half points and one addition a point suffice.
 */
import { iq1Grid } from './codebooks.ts';

/** Components a point. */
export const POINT_SIZE = 8;

/** Four ternary components: 81 combinations. */
const HALVES = 81;

interface HalfIndices {
  readonly low: Uint8Array;
  readonly high: Uint8Array;
}

let indices: HalfIndices | undefined;

/** Base-3 numbers of the two halves of every grid point. */
function halfIndices(): HalfIndices {
  if (indices) return indices;
  const { count, values } = iq1Grid();
  const digits = (at: number) =>
    values[at] + 1 + 3 * (values[at + 1] + 1) + 9 * (values[at + 2] + 1) + 27 * (values[at + 3] + 1);
  indices = {
    low: Uint8Array.from({ length: count }, (_, p) => digits(POINT_SIZE * p)),
    high: Uint8Array.from({ length: count }, (_, p) => digits(POINT_SIZE * p + 4)),
  };
  return indices;
}

const halfCosts = [new Float64Array(HALVES), new Float64Array(HALVES)];

function fillHalf(costs: Float64Array, linear: Float64Array, weights: Float64Array, at: number): void {
  for (let half = 0; half < HALVES; half++) {
    let sum = 0;
    for (let k = 0, rest = half; k < 4; k++, rest = Math.floor(rest / 3)) {
      const g = (rest % 3) - 1;
      sum += weights[at + k] * g * g - linear[at + k] * g;
    }
    costs[half] = sum;
  }
}

/** A grid point and its cost `sum w g^2 - linear g`; valid until the next `nearestPoint`. */
export interface Nearest {
  point: number;
  cost: number;
}

const nearest: Nearest = { point: 0, cost: 0 };

/** The grid point g that minimises `sum weights[k] g[k]^2 - linear[k] g[k]` over the eight k from `at` on. */
export function nearestPoint(linear: Float64Array, weights: Float64Array, at: number): Nearest {
  const { low, high } = halfIndices();
  const [costsLow, costsHigh] = halfCosts;
  fillHalf(costsLow, linear, weights, at);
  fillHalf(costsHigh, linear, weights, at + 4);
  nearest.cost = Number.POSITIVE_INFINITY;
  for (let p = 0; p < low.length; p++) {
    const cost = costsLow[low[p]] + costsHigh[high[p]];
    if (cost < nearest.cost) {
      nearest.cost = cost;
      nearest.point = p;
    }
  }
  return nearest;
}
