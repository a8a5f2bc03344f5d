/**
 * Real scale and min of a sub-block `s * q - m`, for the kernels of Q4_K, Q5_K, Q2_K, Q4_1 and Q5_1: four
 * candidates are weighed at once, one a lane. src/quants/affine.ts tells the method in plain words.
 *
 * The block is scaled by a power of two so that its largest weight lies in [1, 2), its importance so that the
 * mean is 1: then no sum overflows, whatever the input.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../kernels/half.as';

/** Scaled weights, importance, and importance times the weights' distance from their mean: f32[256] each. */
export const X: usize = memory.data(1024, 16);
export const W: usize = memory.data(1024, 16);
const WX: usize = memory.data(1024, 16);
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
/** Vectors that `sums` and `solve` hand on. */
const SUMS: usize = memory.data(64, 16);

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

/** Weights a sub-block, largest code, and the smallest min (0, or -`HUGE` for either sign). */
export function setShape(subSize: i32, maxCode: f32, smallestMin: f32): void {
  size = subSize;
  codeMax = maxCode;
  leastMin = smallestMin;
}

/** Low ends of the ranges to start from: `count` of them, in steps (range / codeMax) above the lowest weight. */
export function setLowEnds(first: f32, step: f32, count: i32): void {
  lowFirst = first;
  lowStep = step;
  lowCount = count;
}

/** High ends likewise, below the highest weight, in groups of four lanes; turns of codes and least squares. */
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

/** Sets number `i` of the f32 array at `base`. */
export function put(base: usize, i: i32, value: f32): void {
  store<f32>(base + (<usize>i << 2), value);
}

/** Sum of four lanes. */
function across(v: v128): f32 {
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

/** Loads importance (0: equal); unusable importance counts as equal, zeros as very small. */
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
    v128.store(W + i, f32x4.add(f32x4.mul(v128.load(W + i), scale), least));
  }
}

/** Turns the signs of the loaded block. */
export function negate(): void {
  for (let i: usize = 0; i < 1024; i += 16) v128.store(X + i, f32x4.neg(v128.load(X + i)));
}

/** f16 bits of a scaled value's true size, never infinite; a positive value never becomes 0. */
export function factorBits(value: f32): u32 {
  const h = f32ToF16(min<f32>(max<f32>(value * unit, -MAX_F16), MAX_F16));
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

/**
 * For four `(s, m)`: sums of wrr, wr and w(x - mean)r over the sub-block at byte `from`, r the distance of its
 * nearest codes from the code of the mean. Around the mean, a weight of overwhelming importance does not drown
 * the others in rounding errors. The mean's codes follow as a fourth vector.
 */
function sums(from: usize, bytes: usize, s: v128, m: v128, mean: v128): void {
  const inv = reciprocal(s);
  const shift = f32x4.mul(m, inv);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  const middle = f32x4.nearest(f32x4.mul(f32x4.add(mean, m), inv));
  let rr = zero;
  let wr = zero;
  let xr = zero;
  for (let end = from + bytes; from < end; from += 8) {
    const a = distance(v128.load32_splat(X + from), inv, shift, middle, top);
    const b = distance(v128.load32_splat(X + from, 4), inv, shift, middle, top);
    const wa = f32x4.mul(v128.load32_splat(W + from), a);
    const wb = f32x4.mul(v128.load32_splat(W + from, 4), b);
    rr = f32x4.add(f32x4.add(rr, f32x4.mul(wa, a)), f32x4.mul(wb, b));
    wr = f32x4.add(f32x4.add(wr, wa), wb);
    xr = f32x4.add(xr, f32x4.mul(v128.load32_splat(WX + from), a));
    xr = f32x4.add(xr, f32x4.mul(v128.load32_splat(WX + from, 4), b));
  }
  v128.store(SUMS, rr);
  v128.store(SUMS, wr, 16);
  v128.store(SUMS, xr, 32);
  v128.store(SUMS, middle, 48);
}

/** Distance of one weight's nearest codes from `middle`. */
function distance(x: v128, inv: v128, shift: v128, middle: v128, top: v128): v128 {
  const q = f32x4.nearest(f32x4.add(f32x4.mul(x, inv), shift));
  return f32x4.sub(f32x4.pmin(f32x4.pmax(q, f32x4.splat(0)), top), middle);
}

/**
 * From the four vectors of `sums`, in their place: least-squares scale, min (at least `leastMin`), and what
 * they take off the error of the mean. Where the min would be too small it is 0, or minus the mean if all
 * codes are 0.
 */
function solve(sumW: f32, average: f32): void {
  const zero = f32x4.splat(0);
  const least = f32x4.splat(leastMin);
  const w = f32x4.splat(sumW);
  const perW = f32x4.splat(<f32>1 / sumW);
  const mean = f32x4.splat(average);
  const rr = v128.load(SUMS);
  const wr = v128.load(SUMS, 16);
  const xr = v128.load(SUMS, 32);
  const middle = v128.load(SUMS, 48);
  const meanR = f32x4.mul(wr, perW);
  const spread = f32x4.sub(rr, f32x4.mul(wr, meanR));
  const s = f32x4.div(xr, spread);
  const m = f32x4.sub(f32x4.mul(s, f32x4.add(middle, meanR)), mean);
  const both = v128.and(f32x4.gt(spread, f32x4.mul(rr, f32x4.splat(1e-6))), f32x4.ge(m, least));
  const wq = f32x4.add(wr, f32x4.mul(middle, w));
  const qq = f32x4.add(rr, f32x4.mul(middle, f32x4.add(wr, wq)));
  const xq = f32x4.add(xr, f32x4.mul(mean, wq));
  const any = f32x4.gt(qq, f32x4.mul(w, f32x4.splat(1e-6)));
  const alone = v128.and(f32x4.div(xq, qq), any);
  const flat = v128.andnot(f32x4.pmax(f32x4.neg(mean), least), any);
  const left = f32x4.add(mean, flat);
  const reward = f32x4.sub(f32x4.mul(alone, xq), f32x4.mul(f32x4.mul(left, left), w));
  v128.store(SUMS, v128.bitselect(s, alone, both));
  v128.store(SUMS, v128.bitselect(m, flat, both), 16);
  v128.store(SUMS, v128.bitselect(f32x4.mul(s, xr), v128.and(reward, f32x4.eq(reward, reward)), both), 32);
}

/** Reward, scale and min of each lane so far, kept in `BEST`. */
const BEST: usize = memory.data(48, 16);

/** Weighs four `(s, m)`: their least-squares fits go to `BEST` where they are better. */
function consider(from: usize, bytes: usize, s: v128, m: v128, sumW: f32, mean: f32): void {
  sums(from, bytes, s, m, f32x4.splat(mean));
  solve(sumW, mean);
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
    wx = f32x4.add(wx, f32x4.mul(v128.load(W + i), x));
  }
  put(LOW, sub, leastLane(low));
  put(HIGH, sub, -leastLane(f32x4.neg(high)));
  put(SUM_W, sub, across(w));
  put(SUM_WX, sub, across(wx));
  const mean = f32x4.splat(across(wx) / across(w));
  for (let i: usize = from; i < from + bytes; i += 16) {
    v128.store(WX + i, f32x4.mul(v128.load(W + i), f32x4.sub(v128.load(X + i), mean)));
  }
}

/** Real scale and min of sub-block `sub` (measured): grid of starts, then least squares and rounding in turns. */
export function searchSub(sub: i32): void {
  const bytes = <usize>size << 2;
  const from = <usize>sub * bytes;
  const low = min<f32>(at(LOW, sub), -leastMin);
  const high = at(HIGH, sub);
  const sumW = at(SUM_W, sub);
  const mean = at(SUM_WX, sub) / sumW;
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
      consider(from, bytes, s, m, sumW, mean);
    }
  }
  for (let i = 0; i < fits; i++) consider(from, bytes, v128.load(BEST, 16), v128.load(BEST, 32), sumW, mean);
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

/** Squared errors of one weight for four `(s, m)`, inv = 1 / s. */
function square(x: v128, s: v128, m: v128, inv: v128, top: v128): v128 {
  const y = f32x4.add(x, m);
  const q = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.mul(y, inv)), f32x4.splat(0)), top);
  const e = f32x4.sub(y, f32x4.mul(s, q));
  return f32x4.mul(e, e);
}

/** For four `(s, m)`: weighted squared errors of the sub-block at byte `from` with its nearest codes. */
export function errors(from: usize, bytes: usize, s: v128, m: v128): v128 {
  const inv = reciprocal(s);
  const top = f32x4.splat(codeMax);
  let even = f32x4.splat(0);
  let odd = even;
  for (let end = from + bytes; from < end; from += 8) {
    const a = square(v128.load32_splat(X + from), s, m, inv, top);
    const b = square(v128.load32_splat(X + from, 4), s, m, inv, top);
    even = f32x4.add(even, f32x4.mul(a, v128.load32_splat(W + from)));
    odd = f32x4.add(odd, f32x4.mul(b, v128.load32_splat(W + from, 4)));
  }
  return f32x4.add(even, odd);
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
    xq = f32x4.add(xq, f32x4.mul(t, v128.load(X + i)));
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
