/**
 * Search for blocks of 256 weights `d * S * q - dmin * M`, shared by the encoders of Q4_K, Q5_K and Q2_K.
 * src/quants/affine.ts tells the method in plain words; here four candidates are weighed at once, one a lane.
 *
 * The block is scaled by a power of two so that its largest weight lies in [1, 2), its importance so that the
 * mean is 1: then no sum overflows, whatever the input. `d` and `dmin` are judged after their rounding to f16.
 */
import { f16ToF32, f32ToF16 } from '../kernels/half.as';

/** Scaled weights, importance, and their product: f32[256] each. */
export const X: usize = memory.data(1024, 16);
export const W: usize = memory.data(1024, 16);
export const WX: usize = memory.data(1024, 16);
/** Codes of the block, u8[256], and the chosen integer scales and mins, f32[16] each. */
export const CODES: usize = memory.data(256, 16);
export const SCALES: usize = memory.data(64, 16);
export const MINS: usize = memory.data(64, 16);

/** Per sub-block, f32[16]: ideal scale, ideal min, and sums of w, wx, and of wq of the codes found last. */
const IDEAL_S: usize = memory.data(64, 16);
const IDEAL_M: usize = memory.data(64, 16);
const SUM_W: usize = memory.data(64, 16);
const SUM_WX: usize = memory.data(64, 16);
const SUM_WQ: usize = memory.data(64, 16);
/** Integer scales and mins under trial, f32[16]; sums `SUM_QQ` of wqq and `SUM_XQ` of wxq with their codes. */
const TRIAL_S: usize = memory.data(64, 16);
const TRIAL_M: usize = memory.data(64, 16);
const SUM_QQ: usize = memory.data(64, 16);
const SUM_XQ: usize = memory.data(64, 16);
/** Three vectors that `sums` and `solve` hand on. */
const SUMS: usize = memory.data(48, 16);

/** Smallest f16 above 0: 2^-24. */
const TINY: f32 = 5.960464477539063e-8;
const HUGE: f32 = 3.0e38;

/** Shape of the format: sub-blocks, weights in each, largest code, largest integer scale. */
let subs: i32 = 8;
let size: i32 = 32;
let codeMax: f32 = 15;
let scaleMax: f32 = 63;

/** Effort: grid of clips in steps of the sub-block (low and high end), fits per start, window, rounds. */
let clipFirst: f32 = 0;
let clipStep: f32 = 0.5;
let clipCount: i32 = 4;
let fits: i32 = 2;
let window: i32 = 1;
let rounds: i32 = 2;
let factors: i32 = 1;
let factorStep: f32 = 0.04;

/** The scaled block's unit, a power of two, and 1 / unit. */
let unit: f32 = 1;
let perUnit: f32 = 1;

/** Result: scale and min of the super-block, scaled; the weighted error. */
let bestD: f32 = 0;
let bestDmin: f32 = 0;
let bestError: f32 = 0;

export function shape(subCount: i32, maxCode: f32, maxScale: f32): void {
  subs = subCount;
  size = 256 / subCount;
  codeMax = maxCode;
  scaleMax = maxScale;
}

export function clips(first: f32, step: f32, count: i32): void {
  clipFirst = first;
  clipStep = step;
  clipCount = count;
}

export function effortOf(fitCount: i32, windowSize: i32, roundCount: i32, factorCount: i32, factor: f32): void {
  fits = fitCount;
  window = windowSize;
  rounds = roundCount;
  factors = factorCount;
  factorStep = factor;
}

function f(base: usize, i: i32): f32 {
  return load<f32>(base + (<usize>i << 2));
}

function put(base: usize, i: i32, value: f32): void {
  store<f32>(base + (<usize>i << 2), value);
}

/** Loads the weights at `src`, NaN as 0. False: all are zero. */
export function loadWeights(src: usize): bool {
  let biggest: f32 = 0;
  for (let i = 0; i < 256; i++) {
    let x = f(src, i);
    if (x != x) x = 0;
    x = min<f32>(max<f32>(x, -HUGE), HUGE);
    biggest = max<f32>(biggest, abs<f32>(x));
    put(X, i, x);
  }
  if (biggest == 0) return false;
  const exponent = min<i32>(max<i32>((<i32>(reinterpret<u32>(biggest) >> 23)) - 127, -100), 126);
  unit = reinterpret<f32>((exponent + 127) << 23);
  perUnit = reinterpret<f32>((127 - exponent) << 23);
  const scale = f32x4.splat(perUnit);
  for (let i: usize = 0; i < 1024; i += 16) v128.store(X + i, f32x4.mul(v128.load(X + i), scale));
  return true;
}

/** Loads importance (0: equal); unusable importance counts as equal, zeros as very small. Makes `WX`. */
export function loadImportance(src: usize): void {
  let biggest: f32 = 0;
  let usable = src != 0;
  if (usable) {
    for (let i = 0; i < 256; i++) {
      const v = f(src, i);
      if (!(v >= 0 && v <= HUGE)) usable = false;
      biggest = max<f32>(biggest, v);
    }
    usable = usable && biggest > 0;
  }
  let mean: f32 = 0;
  for (let i = 0; i < 256; i++) {
    const w: f32 = usable ? f(src, i) / biggest : 1;
    mean += w;
    put(W, i, w);
  }
  const scale = f32x4.splat(<f32>256 / mean);
  const floor = f32x4.splat(1e-6);
  for (let i: usize = 0; i < 1024; i += 16) {
    const w = f32x4.add(f32x4.mul(v128.load(W + i), scale), floor);
    v128.store(W + i, w);
    v128.store(WX + i, f32x4.mul(w, v128.load(X + i)));
  }
}

/** Nearest value that an f16 factor gives in the scaled block; positive stays positive. */
export function roundFactor(value: f32): f32 {
  if (!(value > 0)) return 0;
  const h = f16ToF32(f32ToF16(min<f32>(value * unit, 65504)));
  return max<f32>(h, TINY) * perUnit;
}

/** f16 bits of a value that `roundFactor` gave. */
export function factorBits(value: f32): u32 {
  return f32ToF16(value * unit);
}

function reciprocal(s: v128): v128 {
  const zero = f32x4.splat(0);
  return v128.and(f32x4.div(f32x4.splat(1), s), f32x4.gt(s, zero));
}

/** For four `(s, m)`: sums of wqq, wq and wxq over the sub-block at byte `at`, q its nearest codes. */
function sums(at: usize, bytes: usize, s: v128, m: v128): void {
  const inv = reciprocal(s);
  const shift = f32x4.mul(m, inv);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let qq = zero;
  let wq = zero;
  let xq = zero;
  for (let end = at + bytes; at < end; at += 4) {
    let q = f32x4.add(f32x4.mul(v128.load32_splat(X + at), inv), shift);
    q = f32x4.min(f32x4.max(f32x4.nearest(q), zero), top);
    const t = f32x4.mul(v128.load32_splat(W + at), q);
    qq = f32x4.add(qq, f32x4.mul(t, q));
    wq = f32x4.add(wq, t);
    xq = f32x4.add(xq, f32x4.mul(v128.load32_splat(WX + at), q));
  }
  v128.store(SUMS, qq);
  v128.store(SUMS, wq, 16);
  v128.store(SUMS, xq, 32);
}

/** Least-squares scale, min (at least 0) and what they take off the error, from `SUMS`, into `SUMS`. */
function solve(sumW: f32, sumWX: f32): void {
  const zero = f32x4.splat(0);
  const qq = v128.load(SUMS);
  const wq = v128.load(SUMS, 16);
  const xq = v128.load(SUMS, 32);
  const w = f32x4.splat(sumW);
  const wx = f32x4.splat(sumWX);
  const square = f32x4.mul(qq, w);
  const det = f32x4.sub(square, f32x4.mul(wq, wq));
  const m = f32x4.div(f32x4.sub(f32x4.mul(wq, xq), f32x4.mul(qq, wx)), det);
  const s = f32x4.div(f32x4.sub(f32x4.mul(xq, w), f32x4.mul(wq, wx)), det);
  const both = v128.and(f32x4.gt(det, f32x4.mul(square, f32x4.splat(1e-6))), f32x4.ge(m, zero));
  const any = f32x4.gt(qq, zero);
  const alone = v128.and(f32x4.div(xq, qq), any);
  const flat = f32x4.max(f32x4.div(f32x4.neg(wx), w), zero);
  const bestS = v128.bitselect(s, alone, both);
  const bestM = v128.bitselect(m, v128.andnot(flat, any), both);
  v128.store(SUMS, bestS);
  v128.store(SUMS, bestM, 16);
  v128.store(SUMS, f32x4.sub(f32x4.mul(bestS, xq), f32x4.mul(bestM, wx)), 32);
}

/** Ideal real scale and min of sub-block `sub`: clip grid, then least squares and rounding in turns. */
function searchSub(sub: i32): void {
  const bytes = <usize>size << 2;
  const at = <usize>sub * bytes;
  let low: f32 = 0;
  let high: f32 = -HUGE;
  let sumW: f32 = 0;
  let sumWX: f32 = 0;
  for (let i: usize = at; i < at + bytes; i += 4) {
    const x = load<f32>(X + i);
    low = min<f32>(low, x);
    high = max<f32>(high, x);
    sumW += load<f32>(W + i);
    sumWX += load<f32>(WX + i);
  }
  put(SUM_W, sub, sumW);
  put(SUM_WX, sub, sumWX);
  const step = (high - low) / codeMax;
  const zero = f32x4.splat(0);
  let reward = f32x4.splat(-HUGE);
  let bestS = zero;
  let bestM = zero;
  const lanes = f32x4.add(f32x4.splat(clipFirst), f32x4.mul(f32x4(0, 1, 2, 3), f32x4.splat(clipStep)));
  for (let a = 0; a < clipCount; a++) {
    const bottom = min<f32>(low + (clipFirst + <f32>a * clipStep) * step, 0);
    const m = f32x4.splat(-bottom);
    for (let b = 0; b < clipCount; b += 4) {
      const clip = f32x4.add(lanes, f32x4.splat(<f32>b * clipStep));
      const top = f32x4.sub(f32x4.splat(high), f32x4.mul(clip, f32x4.splat(step)));
      const s = f32x4.max(f32x4.div(f32x4.add(top, m), f32x4.splat(codeMax)), zero);
      sums(at, bytes, s, m);
      solve(sumW, sumWX);
      const better = f32x4.gt(v128.load(SUMS, 32), reward);
      reward = v128.bitselect(v128.load(SUMS, 32), reward, better);
      bestS = v128.bitselect(v128.load(SUMS), bestS, better);
      bestM = v128.bitselect(v128.load(SUMS, 16), bestM, better);
    }
  }
  for (let i = 0; i < fits; i++) {
    sums(at, bytes, bestS, bestM);
    solve(sumW, sumWX);
    const better = f32x4.gt(v128.load(SUMS, 32), reward);
    reward = v128.bitselect(v128.load(SUMS, 32), reward, better);
    bestS = v128.bitselect(v128.load(SUMS), bestS, better);
    bestM = v128.bitselect(v128.load(SUMS, 16), bestM, better);
  }
  v128.store(SUMS, reward);
  let lane = 0;
  for (let i = 1; i < 4; i++) if (f(SUMS, i) > f(SUMS, lane)) lane = i;
  v128.store(SUMS, bestS);
  v128.store(SUMS, bestM, 16);
  const s = f(SUMS, lane);
  const m = f(SUMS, lane + 4);
  put(IDEAL_S, sub, s);
  put(IDEAL_M, sub, m);
  statistics(sub, s, m);
}

/** For four `(s, m)`: weighted squared errors of the sub-block at byte `at` with its nearest codes. */
function errors(at: usize, bytes: usize, s: v128, m: v128): v128 {
  const inv = reciprocal(s);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let sum = zero;
  for (let end = at + bytes; at < end; at += 4) {
    const x = f32x4.add(v128.load32_splat(X + at), m);
    const q = f32x4.min(f32x4.max(f32x4.nearest(f32x4.mul(x, inv)), zero), top);
    const e = f32x4.sub(x, f32x4.mul(s, q));
    sum = f32x4.add(sum, f32x4.mul(f32x4.mul(e, e), v128.load32_splat(W + at)));
  }
  return sum;
}

function across(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** Sums wqq, wq and wxq of sub-block `sub` with the nearest codes of `(s, m)`. */
function statistics(sub: i32, s: f32, m: f32): void {
  const bytes = <usize>size << 2;
  const first = <usize>sub * bytes;
  const inv = f32x4.splat(s > 0 ? <f32>1 / s : 0);
  const shift = f32x4.splat(m);
  const top = f32x4.splat(codeMax);
  const zero = f32x4.splat(0);
  let qq = zero;
  let wq = zero;
  let xq = zero;
  for (let at = first; at < first + bytes; at += 16) {
    const scaled = f32x4.mul(f32x4.add(v128.load(X + at), shift), inv);
    const q = f32x4.min(f32x4.max(f32x4.nearest(scaled), zero), top);
    const t = f32x4.mul(v128.load(W + at), q);
    qq = f32x4.add(qq, f32x4.mul(t, q));
    wq = f32x4.add(wq, t);
    xq = f32x4.add(xq, f32x4.mul(v128.load(WX + at), q));
  }
  put(SUM_QQ, sub, across(qq));
  put(SUM_WQ, sub, across(wq));
  put(SUM_XQ, sub, across(xq));
}

/** Best integer scale and min of sub-block `sub` under `(d, dmin)`; returns its error. */
function searchIntegers(sub: i32, d: f32, dmin: f32, reach: i32): f32 {
  const bytes = <usize>size << 2;
  const at = <usize>sub * bytes;
  const wq = f(SUM_WQ, sub);
  const perW = <f32>1 / f(SUM_W, sub);
  const wx = f(SUM_WX, sub);
  const perMin: f32 = dmin > 0 ? <f32>1 / dmin : 0;
  const middle: f32 = d > 0 ? floor<f32>(f(IDEAL_S, sub) / d) : 0;
  const from = max<f32>(middle - <f32>(reach - 1), 0);
  const to = min<f32>(middle + <f32>reach, scaleMax);
  const limit = f32x4.splat(scaleMax);
  const zero = f32x4.splat(0);
  let least: f32 = HUGE;
  for (let scale = min<f32>(from, scaleMax); scale <= to; scale++) {
    const s = d * scale;
    const base = floor<f32>((s * wq - wx) * perW * perMin);
    const mins = f32x4.min(f32x4.max(f32x4.add(f32x4.splat(base), f32x4(-1, 0, 1, 2)), zero), limit);
    v128.store(SUMS, errors(at, bytes, f32x4.splat(s), f32x4.mul(mins, f32x4.splat(dmin))));
    v128.store(SUMS, mins, 16);
    for (let i = 0; i < 4; i++) {
      if (f(SUMS, i) >= least) continue;
      least = f(SUMS, i);
      put(TRIAL_S, sub, scale);
      put(TRIAL_M, sub, f(SUMS, i + 4));
    }
  }
  return least;
}

/** Tries `(d, dmin)`, keeps it if it is the best so far; true if so. */
function tryFactors(d: f32, dmin: f32, reach: i32): bool {
  let total: f32 = 0;
  for (let sub = 0; sub < subs; sub++) total += searchIntegers(sub, d, dmin, reach);
  if (total >= bestError) return false;
  bestError = total;
  bestD = d;
  bestDmin = dmin;
  memory.copy(SCALES, TRIAL_S, 64);
  memory.copy(MINS, TRIAL_M, 64);
  return true;
}

/** Least-squares `(d, dmin)` for the best integers and their codes, tried at once; true if better. */
function refit(reach: i32): bool {
  let ss: f64 = 0;
  let sm: f64 = 0;
  let mm: f64 = 0;
  let sx: f64 = 0;
  let mx: f64 = 0;
  for (let sub = 0; sub < subs; sub++) {
    const s = f(SCALES, sub);
    const m = f(MINS, sub);
    statistics(sub, bestD * s, bestDmin * m);
    ss += <f64>(s * s) * <f64>f(SUM_QQ, sub);
    sm += <f64>(s * m) * <f64>f(SUM_WQ, sub);
    mm += <f64>(m * m) * <f64>f(SUM_W, sub);
    sx += <f64>s * <f64>f(SUM_XQ, sub);
    mx += <f64>m * <f64>f(SUM_WX, sub);
  }
  const det = ss * mm - sm * sm;
  let d = ss > 0 ? sx / ss : 0;
  let dmin: f64 = 0;
  if (det > 1e-9 * ss * mm) {
    const fitted = (sm * sx - ss * mx) / det;
    if (fitted > 0) {
      dmin = fitted;
      d = (sx * mm - sm * mx) / det;
    }
  } else if (ss == 0 && mm > 0) {
    dmin = -mx / mm;
  }
  return tryFactors(roundFactor(<f32>d), roundFactor(<f32>dmin), reach);
}

/** Searches the loaded block; afterwards `SCALES`, `MINS`, `CODES`, `blockD`, `blockDmin` hold the result. */
export function searchBlock(): void {
  let maxS: f32 = 0;
  let maxM: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    searchSub(sub);
    maxS = max<f32>(maxS, f(IDEAL_S, sub));
    maxM = max<f32>(maxM, f(IDEAL_M, sub));
  }
  bestError = HUGE;
  for (let i = 0; i < factors; i++) {
    const fs = <f32>1 + factorStep * <f32>(i - (factors >> 1));
    for (let j = 0; j < factors; j++) {
      const fm = <f32>1 + factorStep * <f32>(j - (factors >> 1));
      tryFactors(roundFactor((maxS / scaleMax) * fs), roundFactor((maxM / scaleMax) * fm), 1);
    }
  }
  for (let i = 1; i < rounds; i++) if (!refit(window)) break;
  writeCodes();
}

export function blockD(): f32 {
  return bestD;
}

export function blockDmin(): f32 {
  return bestDmin;
}

function writeCodes(): void {
  const n = <usize>size;
  for (let sub = 0; sub < subs; sub++) {
    const s = bestD * f(SCALES, sub);
    const m = bestDmin * f(MINS, sub);
    const inv: f32 = s > 0 ? <f32>1 / s : 0;
    for (let i = <usize>sub * n; i < <usize>(sub + 1) * n; i++) {
      const q = nearest<f32>((load<f32>(X + (i << 2)) + m) * inv);
      store<u8>(CODES + i, <u8>min<f32>(max<f32>(q, 0), codeMax));
    }
  }
}
