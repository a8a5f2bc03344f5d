/**
 * Real scale and min of a sub-block `s * q - m`, for the kernels of Q4_K, Q5_K, Q2_K, Q4_1 and Q5_1: four
 * candidates are weighed at once, one a lane. src/quants/affine.ts tells the method in plain words.
 *
 * The block is scaled by a power of two so that its largest weight lies in [1, 2), its importance so that the
 * mean is 1: then no sum overflows, whatever the input.
 */
import { f16ToF32, f32ToF16 } from '../kernels/half.as';

/** Scaled weights, importance, and their product: f32[256] each. */
export const X: usize = memory.data(1024, 16);
export const W: usize = memory.data(1024, 16);
export const WX: usize = memory.data(1024, 16);
/** Codes of the block, u8[256]. */
export const CODES: usize = memory.data(256, 16);

/** Per sub-block, f32[16]: the scale and min found, sums of w and wx, and of wqq, wq, wxq of the last codes. */
export const IDEAL_S: usize = memory.data(64, 16);
export const IDEAL_M: usize = memory.data(64, 16);
export const SUM_W: usize = memory.data(64, 16);
export const SUM_WX: usize = memory.data(64, 16);
export const SUM_QQ: usize = memory.data(64, 16);
export const SUM_WQ: usize = memory.data(64, 16);
export const SUM_XQ: usize = memory.data(64, 16);
/** Smallest and largest weight of each sub-block, f32[16]. */
export const LOW: usize = memory.data(64, 16);
export const HIGH: usize = memory.data(64, 16);
/** Three vectors that `sums` and `solve` hand on. */
const SUMS: usize = memory.data(48, 16);

/** Smallest f16 above 0: 2^-24. */
const TINY: f32 = 5.960464477539063e-8;
export const HUGE: f32 = 3.0e38;

/** Weights of a sub-block, largest code, smallest min (0, or -HUGE where a min may have either sign). */
let size: i32 = 32;
let codeMax: f32 = 15;
let leastMin: f32 = 0;

/** Grid of starts: the low end `lowFirst + i * lowStep` steps inside the range, i < lowCount; the high end
 * likewise, in `highGroups` groups of four; then `fits` rounds of least squares. */
let lowFirst: f32 = 0;
let lowStep: f32 = 0;
let lowCount: i32 = 0;
let highFirst: f32 = 0;
let highStep: f32 = 0;
let highGroups: i32 = 0;
let fits: i32 = 0;

/** The scaled block's unit, a power of two, and 1 / unit. */
let unit: f32 = 1;
let perUnit: f32 = 1;

export function setShape(subSize: i32, maxCode: f32, smallestMin: f32): void {
  size = subSize;
  codeMax = maxCode;
  leastMin = smallestMin;
}

export function setLowEnds(first: f32, step: f32, count: i32): void {
  lowFirst = first;
  lowStep = step;
  lowCount = count;
}

export function setHighEnds(first: f32, step: f32, groups: i32, fitCount: i32): void {
  highFirst = first;
  highStep = step;
  highGroups = groups;
  fits = fitCount;
}

/** Number `i` of the f32 array at `base`. */
export function at(base: usize, i: i32): f32 {
  return load<f32>(base + (<usize>i << 2));
}

export function put(base: usize, i: i32, value: f32): void {
  store<f32>(base + (<usize>i << 2), value);
}

/** Sum of four lanes. */
export function across(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

function leastLane(v: v128): f32 {
  const pairs = f32x4.pmin(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return min<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** Loads `n` weights from `src`, NaN as 0. False: all are zero. */
export function loadWeights(src: usize, n: i32): bool {
  const bytes = <usize>n << 2;
  const huge = f32x4.splat(HUGE);
  let biggest = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const read = v128.load(src + i);
    const x = f32x4.pmax(f32x4.pmin(v128.and(read, f32x4.eq(read, read)), huge), f32x4.neg(huge));
    biggest = f32x4.pmax(biggest, f32x4.abs(x));
    v128.store(X + i, x);
  }
  const most = -leastLane(f32x4.neg(biggest));
  if (most == 0) return false;
  const exponent = min<i32>(max<i32>(<i32>(reinterpret<u32>(most) >> 23) - 127, -100), 126);
  unit = reinterpret<f32>((exponent + 127) << 23);
  perUnit = reinterpret<f32>((127 - exponent) << 23);
  const scale = f32x4.splat(perUnit);
  for (let i: usize = 0; i < bytes; i += 16) v128.store(X + i, f32x4.mul(v128.load(X + i), scale));
  return true;
}

/** Largest of the `bytes / 4` numbers at `src`; 0 if one is negative, not a number or above `HUGE`. */
function usablePeak(src: usize, bytes: usize): f32 {
  const zero = f32x4.splat(0);
  const huge = f32x4.splat(HUGE);
  let peak = zero;
  let fine = f32x4.eq(zero, zero);
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(src + i);
    fine = v128.and(fine, v128.and(f32x4.ge(v, zero), f32x4.le(v, huge)));
    peak = f32x4.pmax(peak, v);
  }
  return i32x4.all_true(fine) ? -leastLane(f32x4.neg(peak)) : 0;
}

/** Loads importance (0: equal); unusable importance counts as equal, zeros as very small. Makes `WX`. */
export function loadImportance(src: usize, n: i32): void {
  const bytes = <usize>n << 2;
  const peak: f32 = src ? usablePeak(src, bytes) : 0;
  const one = f32x4.splat(1);
  const top = f32x4.splat(peak);
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const w = peak > 0 ? f32x4.div(v128.load(src + i), top) : one;
    sum = f32x4.add(sum, w);
    v128.store(W + i, w);
  }
  const scale = f32x4.splat(<f32>n / across(sum));
  const least = f32x4.splat(1e-6);
  for (let i: usize = 0; i < bytes; i += 16) {
    const w = f32x4.add(f32x4.mul(v128.load(W + i), scale), least);
    v128.store(W + i, w);
    v128.store(WX + i, f32x4.mul(w, v128.load(X + i)));
  }
}

/** Turns the signs of the loaded block. */
export function negate(): void {
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(X + i, f32x4.neg(v128.load(X + i)));
    v128.store(WX + i, f32x4.neg(v128.load(WX + i)));
  }
}

/** f16 bits of a scaled value's true size, never infinite; a positive value never becomes 0. */
export function factorBits(value: f32): u32 {
  const h = f32ToF16(min<f32>(max<f32>(value * unit, -65504), 65504));
  return value > 0 && h == 0 ? 1 : h;
}

/** Scaled value of f16 bits. */
export function factorOf(bits: u32): f32 {
  return f16ToF32(bits) * perUnit;
}

function reciprocal(s: v128): v128 {
  const zero = f32x4.splat(0);
  return v128.and(f32x4.div(f32x4.splat(1), s), f32x4.gt(s, zero));
}

/** For four `(s, m)`: sums of wqq, wq and wxq over the sub-block at byte `from`, q its nearest codes. */
function sums(from: usize, bytes: usize, s: v128, m: v128): void {
  const inv = reciprocal(s);
  const shift = f32x4.mul(m, inv);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let qq = zero;
  let wq = zero;
  let xq = zero;
  for (let end = from + bytes; from < end; from += 16) {
    const qA = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.add(f32x4.mul(v128.load32_splat(X + from), inv), shift)), zero), top);
    const tA = f32x4.mul(v128.load32_splat(W + from), qA);
    qq = f32x4.add(qq, f32x4.mul(tA, qA));
    wq = f32x4.add(wq, tA);
    xq = f32x4.add(xq, f32x4.mul(v128.load32_splat(WX + from), qA));
    const qB = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.add(f32x4.mul(v128.load32_splat(X + from, 4), inv), shift)), zero), top);
    const tB = f32x4.mul(v128.load32_splat(W + from, 4), qB);
    qq = f32x4.add(qq, f32x4.mul(tB, qB));
    wq = f32x4.add(wq, tB);
    xq = f32x4.add(xq, f32x4.mul(v128.load32_splat(WX + from, 4), qB));
    const qC = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.add(f32x4.mul(v128.load32_splat(X + from, 8), inv), shift)), zero), top);
    const tC = f32x4.mul(v128.load32_splat(W + from, 8), qC);
    qq = f32x4.add(qq, f32x4.mul(tC, qC));
    wq = f32x4.add(wq, tC);
    xq = f32x4.add(xq, f32x4.mul(v128.load32_splat(WX + from, 8), qC));
    const qD = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.add(f32x4.mul(v128.load32_splat(X + from, 12), inv), shift)), zero), top);
    const tD = f32x4.mul(v128.load32_splat(W + from, 12), qD);
    qq = f32x4.add(qq, f32x4.mul(tD, qD));
    wq = f32x4.add(wq, tD);
    xq = f32x4.add(xq, f32x4.mul(v128.load32_splat(WX + from, 12), qD));
  }
  v128.store(SUMS, qq);
  v128.store(SUMS, wq, 16);
  v128.store(SUMS, xq, 32);
}

/** Least-squares scale, min (at least `leastMin`) and what they take off the error, from `SUMS`, into `SUMS`. */
function solve(sumW: f32, sumWX: f32): void {
  const zero = f32x4.splat(0);
  const least = f32x4.splat(leastMin);
  const qq = v128.load(SUMS);
  const wq = v128.load(SUMS, 16);
  const xq = v128.load(SUMS, 32);
  const w = f32x4.splat(sumW);
  const wx = f32x4.splat(sumWX);
  const square = f32x4.mul(qq, w);
  const det = f32x4.sub(square, f32x4.mul(wq, wq));
  const m = f32x4.div(f32x4.sub(f32x4.mul(wq, xq), f32x4.mul(qq, wx)), det);
  const s = f32x4.div(f32x4.sub(f32x4.mul(xq, w), f32x4.mul(wq, wx)), det);
  const both = v128.and(f32x4.gt(det, f32x4.mul(square, f32x4.splat(1e-6))), f32x4.ge(m, least));
  const any = f32x4.gt(qq, zero);
  const alone = v128.and(f32x4.div(xq, qq), any);
  const flat = f32x4.pmax(f32x4.div(f32x4.neg(wx), w), least);
  const bestS = v128.bitselect(s, alone, both);
  const bestM = v128.bitselect(m, v128.andnot(flat, any), both);
  v128.store(SUMS, bestS);
  v128.store(SUMS, bestM, 16);
  v128.store(SUMS, f32x4.sub(f32x4.mul(bestS, xq), f32x4.mul(bestM, wx)), 32);
}

/** Reward, scale and min of each lane so far, kept in `BEST`. */
const BEST: usize = memory.data(48, 16);

/** Weighs four `(s, m)`: their least-squares fits go to `BEST` where they are better. */
function consider(from: usize, bytes: usize, s: v128, m: v128, sumW: f32, sumWX: f32): void {
  sums(from, bytes, s, m);
  solve(sumW, sumWX);
  const reward = v128.load(SUMS, 32);
  const better = f32x4.gt(reward, v128.load(BEST));
  v128.store(BEST, v128.bitselect(reward, v128.load(BEST), better));
  v128.store(BEST, v128.bitselect(v128.load(SUMS), v128.load(BEST, 16), better), 16);
  v128.store(BEST, v128.bitselect(v128.load(SUMS, 16), v128.load(BEST, 32), better), 32);
}

/** Sums of w and wx of sub-block `sub`, into `SUM_W` and `SUM_WX`; its range into `LOW` and `HIGH`. */
export function measure(sub: i32): void {
  const bytes = <usize>size << 2;
  const from = <usize>sub * bytes;
  let low = v128.load(X + from);
  let high = low;
  let w = f32x4.splat(0);
  let wx = w;
  for (let i: usize = from; i < from + bytes; i += 16) {
    const x = v128.load(X + i);
    low = f32x4.pmin(low, x);
    high = f32x4.pmax(high, x);
    w = f32x4.add(w, v128.load(W + i));
    wx = f32x4.add(wx, v128.load(WX + i));
  }
  put(LOW, sub, leastLane(low));
  put(HIGH, sub, -leastLane(f32x4.neg(high)));
  put(SUM_W, sub, across(w));
  put(SUM_WX, sub, across(wx));
}

/** Real scale and min of sub-block `sub` (measured): grid of starts, then least squares and rounding in turns. */
export function searchSub(sub: i32): void {
  const bytes = <usize>size << 2;
  const from = <usize>sub * bytes;
  const low = min<f32>(at(LOW, sub), -leastMin);
  const high = at(HIGH, sub);
  const sumW = at(SUM_W, sub);
  const sumWX = at(SUM_WX, sub);
  const step = max<f32>(high - low, 0) / codeMax;
  const zero = f32x4.splat(0);
  const perCode = f32x4.splat(<f32>1 / codeMax);
  v128.store(BEST, f32x4.splat(-HUGE));
  for (let group = 0; group < highGroups; group++) {
    const inside = f32x4.add(f32x4.splat(highFirst + <f32>(group << 2) * highStep), f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(highStep)));
    const top = f32x4.sub(f32x4.splat(high), f32x4.mul(inside, f32x4.splat(step)));
    for (let i = 0; i < lowCount; i++) {
      const bottom = min<f32>(low + (lowFirst + <f32>i * lowStep) * step, -leastMin);
      const m = f32x4.splat(-bottom);
      const s = f32x4.pmax(f32x4.mul(f32x4.add(top, m), perCode), zero);
      consider(from, bytes, s, m, sumW, sumWX);
    }
  }
  for (let i = 0; i < fits; i++) consider(from, bytes, v128.load(BEST, 16), v128.load(BEST, 32), sumW, sumWX);
  let lane = 0;
  for (let i = 1; i < 4; i++) if (at(BEST, i) > at(BEST, lane)) lane = i;
  put(IDEAL_S, sub, at(BEST, lane + 4));
  put(IDEAL_M, sub, at(BEST, lane + 8));
  statistics(sub, at(BEST, lane + 4), at(BEST, lane + 8));
}

/** Weighted squared error of sub-block `sub` with its real scale and min. */
export function idealError(sub: i32): f32 {
  const bytes = <usize>size << 2;
  const s = f32x4.splat(at(IDEAL_S, sub));
  return f32x4.extract_lane(errors(<usize>sub * bytes, bytes, s, f32x4.splat(at(IDEAL_M, sub))), 0);
}

/** For four `(s, m)`: weighted squared errors of the sub-block at byte `from` with its nearest codes. */
export function errors(from: usize, bytes: usize, s: v128, m: v128): v128 {
  const inv = reciprocal(s);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let sum = zero;
  for (let end = from + bytes; from < end; from += 4) {
    const x = f32x4.add(v128.load32_splat(X + from), m);
    const q = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.mul(x, inv)), zero), top);
    const e = f32x4.sub(x, f32x4.mul(s, q));
    sum = f32x4.add(sum, f32x4.mul(f32x4.mul(e, e), v128.load32_splat(W + from)));
  }
  return sum;
}

/** Sums wqq, wq and wxq of sub-block `sub` with the nearest codes of `(s, m)`. */
export function statistics(sub: i32, s: f32, m: f32): void {
  const bytes = <usize>size << 2;
  const first = <usize>sub * bytes;
  const inv = f32x4.splat(s > 0 ? <f32>1 / s : 0);
  const shift = f32x4.splat(m);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let qq = zero;
  let wq = zero;
  let xq = zero;
  for (let i = first; i < first + bytes; i += 16) {
    const scaled = f32x4.mul(f32x4.add(v128.load(X + i), shift), inv);
    const q = f32x4.pmin(f32x4.pmax(f32x4.nearest(scaled), zero), top);
    const t = f32x4.mul(v128.load(W + i), q);
    qq = f32x4.add(qq, f32x4.mul(t, q));
    wq = f32x4.add(wq, t);
    xq = f32x4.add(xq, f32x4.mul(v128.load(WX + i), q));
  }
  put(SUM_QQ, sub, across(qq));
  put(SUM_WQ, sub, across(wq));
  put(SUM_XQ, sub, across(xq));
}

/** Nearest codes of sub-block `sub` for `(s, m)`, into `CODES`. */
export function writeCodes(sub: i32, s: f32, m: f32): void {
  const first = sub * size;
  const inv = f32x4.splat(s > 0 ? <f32>1 / s : 0);
  const shift = f32x4.splat(m);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  for (let i = <usize>first; i < <usize>(first + size); i += 4) {
    const scaled = f32x4.mul(f32x4.add(v128.load(X + (i << 2)), shift), inv);
    const q = i32x4.trunc_sat_f32x4_s(f32x4.pmin(f32x4.pmax(f32x4.nearest(scaled), zero), top));
    const half = i16x8.narrow_i32x4_u(q, q);
    store<u32>(CODES + i, i32x4.extract_lane(i8x16.narrow_i16x8_u(half, half), 0));
  }
}
