/**
 * Scale search of the formats whose weights are `scale * value`, with values from a small fixed grid: the
 * readable definition of what symmetric.as.ts does with SIMD, and the encoder where there is no kernel.
 *
 * For a scale s each weight takes the nearest value q. With A = sum w x q and B = sum w q q the squared error
 * is `sum w x x - 2 s A + s s B`, least at s = A / B; so a search is: start somewhere, round, refit, repeat.
 * Grids reach further on one side than on the other, so both signs of a scale are searched.
 */
import { f32ToF16, MAX_F16, roundToF16 } from '../core/index.ts';
import { FP4_DOUBLED, IQ4_VALUES } from './codebooks.ts';
import type { Effort } from './format.ts';
import { NO_IMPORTANCE, NOTHING, SYMMETRIC_FLOOR, SYMMETRIC_LIMIT } from './tuning.as.ts';

export interface Grid {
  readonly low: number;
  readonly high: number;
  /** Code of the value nearest to `t`. */
  readonly code: (t: number) => number;
  /** Value of each code. */
  readonly values: readonly number[];
}

/** The integers low..high, coded from 0. */
export function uniformGrid(low: number, high: number): Grid {
  const values = Array.from({ length: high - low + 1 }, (_, code) => low + code);
  return { low, high, values, code: (t) => Math.min(Math.max(Math.round(t), low), high) - low };
}

/** A grid of ascending values, coded by their rank. */
function tableGrid(values: readonly number[], codes: readonly number[]): Grid {
  const midpoints = codes.slice(1).map((code, i) => (values[code] + values[codes[i]]) / 2);
  const code = (t: number): number => {
    let rank = 0;
    while (rank < midpoints.length && t >= midpoints[rank]) rank++;
    return codes[rank];
  };
  return { low: values[codes[0]], high: values[codes[codes.length - 1]], values, code };
}

export const IQ4_GRID = tableGrid(
  IQ4_VALUES,
  IQ4_VALUES.map((_, code) => code),
);
/** Doubled FP4; code 8, the negative zero, is never used. */
export const FP4_GRID = tableGrid(FP4_DOUBLED, [15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7]);

/** Where a search starts and how often it refits. The kernels' (*.kernel.as.ts) encode functions repeat these numbers. */
export interface ScaleSearch {
  /** Starts at each end of the grid. */
  readonly starts: number;
  /** How many times that end the extreme weight falls out at the first start. */
  readonly reach: number;
  /** Reach of each next start over that of the one before. */
  readonly ratio: number;
  /** Least-squares refits of each start. */
  readonly rounds: number;
}

/** Search of a super-block: its sub-blocks' scales are integers times one f16. */
export interface SuperSearch extends ScaleSearch {
  /** Integer scales tried around each of the two continuous ones. */
  readonly window: number;
  /** Starting super-scales, `spread` apart relative to the largest scale over its integer. */
  readonly tries: number;
  readonly spread: number;
  /** Refits of each super-scale. */
  readonly refits: number;
  /** Window of one more try, from the best super-scale; 0: none. Pays where integer scales are fine. */
  readonly polish: number;
}

export type ByEffort<T> = Readonly<Record<Effort, T>>;

/** Weights of a block, cleaned, with their importance relative to the block's largest. */
export interface Block {
  readonly x: Float64Array;
  readonly w: Float64Array;
}

const LEAST_F16 = 2 ** -24;

/**
 * The `n` weights from `at` on. NaN becomes 0; importance that says nothing (all zero, negative, not finite)
 * counts as equal.
 */
export function readBlock(
  src: Float32Array,
  importance: Float32Array | null,
  at: number,
  n: number,
  limit = SYMMETRIC_LIMIT,
): Block {
  const x = Float64Array.from(src.subarray(at, at + n), (value) =>
    Number.isNaN(value) ? 0 : Math.min(Math.max(value, -limit), limit),
  );
  const w = new Float64Array(n).fill(1);
  if (importance) {
    const own = importance.subarray(at, at + n);
    const largest = own.reduce((most, v) => Math.max(most, v), 0);
    if (largest > NO_IMPORTANCE && own.every((v) => v >= 0 && v <= 3e38)) {
      for (let i = 0; i < n; i++) w[i] = own[i] / largest + SYMMETRIC_FLOOR;
    }
  }
  return { x, w };
}

interface Fit {
  readonly a: number;
  readonly b: number;
}

/** A and B of the codes nearest at scale s, of weights from..from + n. */
function fitAt(grid: Grid, { x, w }: Block, from: number, n: number, s: number): Fit {
  const inverse = s === 0 ? 0 : 1 / s;
  let a = 0;
  let b = 0;
  for (let i = from; i < from + n; i++) {
    const q = grid.values[grid.code(x[i] * inverse)];
    a += w[i] * x[i] * q;
    b += w[i] * q * q;
  }
  return { a, b };
}

/** Squared error at scale s of codes with these sums, less the constant `sum w x x`. */
function cost({ a, b }: Fit, s: number): number {
  return s * (s * b - 2 * a);
}

/** The weight of largest magnitude, with its sign. */
function extreme(x: Float64Array): number {
  return x.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
}

/** Every scale to start from at one end of the grid; those at the high end lie between those at the low. */
function starts(x: number, end: number, { starts: count, reach, ratio }: ScaleSearch): number[] {
  const shift = end > 0 ? 0.5 : 0;
  return Array.from({ length: count }, (_, k) => x / (end * reach * ratio ** (k + shift)));
}

/** Best continuous scale that a search from one end of the grid finds; 0 if there is nothing to fit. */
function searchScale(
  grid: Grid,
  block: Block,
  from: number,
  n: number,
  end: number,
  search: ScaleSearch,
): number {
  const x = extreme(block.x.subarray(from, from + n));
  if (Math.abs(x) <= NOTHING) return 0;
  let best = 0;
  let bestGain = -1;
  for (let s of starts(x, end, search)) {
    for (let round = 0; round < search.rounds && s !== 0; round++) {
      const { a, b } = fitAt(grid, block, from, n, s);
      if (b === 0) break;
      s = a / b;
      if (a * s > bestGain) {
        bestGain = a * s;
        best = s;
      }
    }
  }
  return best;
}

/** `d` as an f16 value, finite and not zero. */
function admissible(d: number): number {
  const rounded = roundToF16(Math.min(Math.max(d, -MAX_F16), MAX_F16));
  return rounded === 0 ? Math.sign(d) * LEAST_F16 : rounded;
}

interface SuperScales {
  readonly error: number;
  readonly d: number;
  readonly scales: readonly number[];
  /** Least-squares super-scale for the same codes. */
  readonly refitted: number;
}

/** Every sub-block's best integer scale for super-scale d, with its codes rounded anew. */
function scalesFor(
  grid: Grid,
  block: Block,
  n: number,
  d: number,
  centres: readonly (readonly number[])[],
  range: readonly [number, number],
  window: number,
): SuperScales {
  let [error, dot, norm] = [0, 0, 0];
  const scales = centres.map((pair, sub) => {
    let best = { cost: 0, scale: 0, fit: { a: 0, b: 0 } };
    for (const centre of pair) {
      for (let k = 0; k < window; k++) {
        const scale = Math.min(Math.max(Math.floor(centre / d) - window / 2 + 1 + k, range[0]), range[1]);
        const fit = fitAt(grid, block, sub * n, n, d * scale);
        const c = cost(fit, d * scale);
        if (c < best.cost) best = { cost: c, scale, fit };
      }
    }
    error += best.cost;
    dot += best.scale * best.fit.a;
    norm += best.scale ** 2 * best.fit.b;
    return best.scale;
  });
  return { error, d, scales, refitted: norm > 0 ? dot / norm : 0 };
}

/**
 * Encodes a block of sub-blocks of `n` weights with integer scales range[0]..range[1] times an f16 `d`.
 * Writes one code a weight to `codes`. @returns bits of d, and the integer scales.
 */
export function encodeSuper(
  grid: Grid,
  block: Block,
  n: number,
  range: readonly [number, number],
  search: SuperSearch,
  codes: Uint8Array,
): { d: number; scales: readonly number[] } {
  const subs = block.x.length / n;
  const centres = Array.from({ length: subs }, (_, sub) =>
    [grid.low, grid.high].map((end) => searchScale(grid, block, sub * n, n, end, search)),
  );
  const largest = centres.flat().reduce((most, s) => (Math.abs(s) > Math.abs(most) ? s : most), 0);
  let best: SuperScales = { error: 0, d: 0, scales: new Array<number>(subs).fill(0), refitted: 0 };
  const last = search.polish > 0 ? search.tries : search.tries - 1;
  for (let k = 0; k <= last && largest !== 0; k++) {
    const factor = 1 + search.spread * (k % 2 === 1 ? (k + 1) / 2 : -k / 2);
    let d = k < search.tries ? admissible((largest / range[0]) * factor) : best.d;
    const window = k < search.tries ? search.window : search.polish;
    for (let round = 0; round < search.refits && d !== 0; round++) {
      const trial = scalesFor(grid, block, n, d, centres, range, window);
      if (trial.error < best.error) best = trial;
      if (trial.refitted === 0 || admissible(trial.refitted) === d) break;
      d = admissible(trial.refitted);
    }
  }
  best.scales.forEach((scale, sub) => {
    writeCodes(grid, block, sub * n, n, best.d * scale, codes);
  });
  return { d: f32ToF16(best.d), scales: best.scales };
}

/** Codes of weights from..from + n at scale s. */
export function writeCodes(
  grid: Grid,
  block: Block,
  from: number,
  n: number,
  s: number,
  codes: Uint8Array,
): void {
  const inverse = s === 0 ? 0 : 1 / s;
  for (let i = from; i < from + n; i++) codes[i] = grid.code(block.x[i] * inverse);
}

/** Encodes a block with one f16 scale. Writes one code a weight to `codes`. @returns bits of the scale. */
export function encodeSingle(grid: Grid, block: Block, search: ScaleSearch, codes: Uint8Array): number {
  const x = extreme(block.x);
  const all = Math.abs(x) <= NOTHING ? [] : [grid.low, grid.high].flatMap((end) => starts(x, end, search));
  return f32ToF16(bestScale(grid, block, all, search.rounds, admissible, codes));
}

/** Improves every start by refits among the scales that `round` allows; writes the codes of the best. */
export function bestScale(
  grid: Grid,
  block: Block,
  all: readonly number[],
  rounds: number,
  round: (s: number) => number,
  codes: Uint8Array,
): number {
  const n = block.x.length;
  let best = 0;
  let bestCost = 0;
  for (const start of all) {
    let s = round(start);
    for (let k = 0; k < rounds; k++) {
      const fit = fitAt(grid, block, 0, n, s);
      const c = cost(fit, s);
      if (c < bestCost) {
        bestCost = c;
        best = s;
      }
      if (fit.b === 0 || fit.a === 0) break;
      s = round(fit.a / fit.b);
    }
  }
  writeCodes(grid, block, 0, n, best, codes);
  return best;
}
