/**
 * Search for blocks of weights `s * q - m` with unsigned codes q: the plain definition, and the oracle, of the
 * kernels in affine.as.ts. Shared by Q4_K, Q5_K, Q2_K (affine-super.ts) and Q4_1, Q5_1 (affine-pair.ts).
 *
 * The error is the weighted square, sum w (x - y)^2, w the importance. For given codes the best (s, m) is a
 * 2 x 2 least-squares problem; for given (s, m) the best codes are the nearest. The search starts from a grid
 * of ranges that are narrower or wider than the weights' own, and takes both steps in turns from the best ones.
 */
import type { Effort } from './format.ts';

/** What the sub-blocks of a format can hold. */
export interface AffineShape {
  /** Sub-blocks a block. */
  readonly subBlocks: number;
  /** Weights a sub-block. */
  readonly subSize: number;
  /** Largest code. */
  readonly maxCode: number;
  /** Smallest min: 0, or minus infinity where a min may have either sign. */
  readonly leastMin: number;
}

/** Ranges from which the search starts, in steps (range / maxCode) cut off the low and the high end. */
export interface Starts {
  readonly lows: readonly number[];
  /** A multiple of four; the best start of each remainder mod 4 goes on, as the kernels do it. */
  readonly highs: readonly number[];
  /** Turns of {nearest codes, least squares} from the best starts. */
  readonly fits: number;
}

export type StartsByEffort = Readonly<Record<Effort, Starts>>;

/** `count` numbers from `first`, `step` apart. */
export function ladder(first: number, step: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i * step);
}

/** Weights and importance of a block. */
export interface Block {
  readonly x: Float64Array;
  /** Importance, mean 1. */
  readonly w: Float64Array;
}

/** Sums over a sub-block: of w and wx; of wqq, wq and wxq for its codes q. */
export interface Sums {
  readonly w: number;
  readonly wx: number;
  readonly qq: number;
  readonly wq: number;
  readonly xq: number;
}

/** A scale and min, and the sums with the nearest codes for them. */
export interface Fit {
  readonly s: number;
  readonly m: number;
  readonly sums: Sums;
}

const HUGE = 3e38;

/** Weights `from`.. of a row, NaN as 0, infinities as huge; importance with mean 1, equal where unusable. */
export function loadBlock(
  src: Float32Array,
  importance: Float32Array | null,
  from: number,
  size: number,
): Block {
  const x = Float64Array.from(src.subarray(from, from + size), (v) =>
    Number.isNaN(v) ? 0 : Math.min(Math.max(v, -HUGE), HUGE),
  );
  const given = importance?.subarray(from, from + size) ?? new Float32Array(size);
  const usable = given.every((v) => v >= 0 && v <= HUGE) && given.some((v) => v > 0);
  const w = usable ? Float64Array.from(given) : new Float64Array(size).fill(1);
  const mean = w.reduce((sum, v) => sum + v, 0) / size;
  return { x, w: w.map((v) => v / mean + 1e-6) };
}

/** Nearest code of `x` for `(s, m)`; the even one on a tie, as the kernels round. */
export function nearestCode(x: number, s: number, m: number, maxCode: number): number {
  if (!(s > 0)) return 0;
  const scaled = (x + m) / s;
  const floor = Math.floor(scaled);
  const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 === 1);
  return Math.min(Math.max(up ? floor + 1 : floor, 0), maxCode);
}

/** Sums of sub-block `sub` with its nearest codes for `(s, m)`. */
export function sumsOf(block: Block, shape: AffineShape, sub: number, s: number, m: number): Sums {
  const sums = { w: 0, wx: 0, qq: 0, wq: 0, xq: 0 };
  for (let i = sub * shape.subSize; i < (sub + 1) * shape.subSize; i++) {
    const w = block.w[i];
    const q = nearestCode(block.x[i], s, m, shape.maxCode);
    sums.w += w;
    sums.wx += w * block.x[i];
    sums.qq += w * q * q;
    sums.wq += w * q;
    sums.xq += w * q * block.x[i];
  }
  return sums;
}

/** Weighted squared error of sub-block `sub` with its nearest codes for `(s, m)`. */
export function errorOf(block: Block, shape: AffineShape, sub: number, s: number, m: number): number {
  let error = 0;
  for (let i = sub * shape.subSize; i < (sub + 1) * shape.subSize; i++) {
    const e = block.x[i] - (s * nearestCode(block.x[i], s, m, shape.maxCode) - m);
    error += block.w[i] * e * e;
  }
  return error;
}

/** Least-squares `(s, m)` for the codes behind `sums`, m at least `leastMin`. */
function solve(sums: Sums, leastMin: number): { s: number; m: number } {
  const { w, wx, qq, wq, xq } = sums;
  const det = qq * w - wq * wq;
  const m = (wq * xq - qq * wx) / det;
  if (det > 1e-6 * qq * w && m >= leastMin) return { s: (xq * w - wq * wx) / det, m };
  return qq > 0 ? { s: xq / qq, m: 0 } : { s: 0, m: Math.max(-wx / w, leastMin) };
}

/** Smallest and largest weight of sub-block `sub`. */
export function rangeOf(block: Block, shape: AffineShape, sub: number): { low: number; high: number } {
  const x = block.x.subarray(sub * shape.subSize, (sub + 1) * shape.subSize);
  return { low: x.reduce((a, b) => Math.min(a, b)), high: x.reduce((a, b) => Math.max(a, b)) };
}

/** The best real `(s, m)` that the search finds for sub-block `sub`. */
export function searchSubBlock(block: Block, shape: AffineShape, sub: number, starts: Starts): Fit {
  const { low: bottom, high } = rangeOf(block, shape, sub);
  const low = Math.min(bottom, -shape.leastMin);
  const step = Math.max(high - low, 0) / shape.maxCode;
  const lanes = ladder(0, 0, 4).map(() => ({ reward: Number.NEGATIVE_INFINITY, s: 0, m: 0 }));
  const consider = (lane: number, s: number, m: number) => {
    const sums = sumsOf(block, shape, sub, s, m);
    const fit = solve(sums, shape.leastMin);
    const reward = fit.s * sums.xq - fit.m * sums.wx; // what the fit takes off sum w x^2
    if (reward > lanes[lane].reward) lanes[lane] = { reward, ...fit };
  };
  starts.highs.forEach((inside, i) => {
    for (const lift of starts.lows) {
      const start = Math.min(low + lift * step, -shape.leastMin);
      consider(i % 4, Math.max((high - inside * step - start) / shape.maxCode, 0), -start);
    }
  });
  for (let i = 0; i < starts.fits; i++) {
    for (let lane = 0; lane < 4; lane++) consider(lane, lanes[lane].s, lanes[lane].m);
  }
  const { s, m } = lanes.reduce((best, lane) => (lane.reward > best.reward ? lane : best));
  return { s, m, sums: sumsOf(block, shape, sub, s, m) };
}
