/**
 * Super-blocks of 256 weights `d * S * q - dmin * M` (Q4_K, Q5_K, Q2_K): picks `d`, `dmin` and the small
 * integers S and M of each sub-block. `d` and `dmin` are judged after their rounding to f16.
 */
import {
  CODES,
  HIGH,
  HUGE,
  IDEAL_M,
  IDEAL_S,
  LOW,
  SUM_QQ,
  SUM_W,
  SUM_WQ,
  SUM_WX,
  SUM_XQ,
  at,
  errors,
  factorBits,
  factorOf,
  loadImportance,
  loadWeights,
  measure,
  negate,
  put,
  searchSub,
  setShape,
  statistics,
  writeCodes,
} from './affine.as';

/** The chosen integer scales and mins, f32[16] each, and those under trial. */
export const SCALES: usize = memory.data(64, 16);
export const MINS: usize = memory.data(64, 16);
const TRIAL_S: usize = memory.data(64, 16);
const TRIAL_M: usize = memory.data(64, 16);
/** Errors and mins of four candidates. */
const FOUR: usize = memory.data(32, 16);
/** The first orientation's scales, mins and codes while the other is searched. */
const KEPT: usize = memory.data(384, 16);

let subs: i32 = 8;
let scaleMax: f32 = 63;

/** Starts: `starts` x `starts` factors around the plain `(d, dmin)`, `startStep` apart; then `refits` refits,
 * in which S moves by `reach`; `bothSigns`: the negated block is searched as well. */
let starts: i32 = 1;
let startStep: f32 = 0;
let refits: i32 = 1;
let reach: i32 = 1;
let bothSigns: bool = false;

let bestD: f32 = 0;
let bestDmin: f32 = 0;
let bestError: f32 = 0;

export function setSuperShape(subCount: i32, maxCode: f32, maxScale: f32): void {
  subs = subCount;
  scaleMax = maxScale;
  setShape(256 / subCount, maxCode, 0);
}

export function setSuperEffort(startCount: i32, step: f32, refitCount: i32, scaleReach: i32, negated: bool): void {
  starts = startCount;
  startStep = step;
  refits = refitCount;
  reach = scaleReach;
  bothSigns = negated;
}

function signedBits(value: f32): u32 {
  return factorBits(abs<f32>(value)) | (value < 0 ? 0x8000 : 0);
}

/** f16 bits of the chosen d. */
export function dBits(): u32 {
  return signedBits(bestD);
}

/** f16 bits of the chosen dmin. */
export function dminBits(): u32 {
  return signedBits(bestDmin);
}

function rounded(value: f32): f32 {
  return value > 0 ? factorOf(factorBits(value)) : 0;
}

/** Best integer scale (near the ideal one) and min of sub-block `sub` under `(d, dmin)`; returns its error. */
function searchIntegers(sub: i32, d: f32, dmin: f32, span: i32): f32 {
  const bytes = <usize>(256 / subs) << 2;
  const wq = at(SUM_WQ, sub);
  const perW = <f32>1 / at(SUM_W, sub);
  const wx = at(SUM_WX, sub);
  const perMin: f32 = dmin > 0 ? <f32>1 / dmin : 0;
  const middle: f32 = d > 0 ? floor<f32>(at(IDEAL_S, sub) / d) : 0;
  const first = min<f32>(max<f32>(middle - <f32>(span - 1), 0), scaleMax);
  const last = min<f32>(middle + <f32>span, scaleMax);
  const limit = f32x4.splat(scaleMax);
  let least: f32 = HUGE;
  for (let scale = first; scale <= last; scale++) {
    const s = d * scale;
    const base = f32x4.splat(floor<f32>((s * wq - wx) * perW * perMin));
    const mins = f32x4.pmin(f32x4.pmax(f32x4.add(base, f32x4(-1, 0, 1, 2)), f32x4.splat(0)), limit);
    v128.store(FOUR, errors(<usize>sub * bytes, bytes, f32x4.splat(s), f32x4.mul(mins, f32x4.splat(dmin))));
    v128.store(FOUR, mins, 16);
    for (let i = 0; i < 4; i++) {
      if (at(FOUR, i) >= least) continue;
      least = at(FOUR, i);
      put(TRIAL_S, sub, scale);
      put(TRIAL_M, sub, at(FOUR, i + 4));
    }
  }
  return least;
}

/** Tries `(d, dmin)`, keeps it if it is the best so far; true if so. */
function tryFactors(d: f32, dmin: f32, span: i32): bool {
  let total: f32 = 0;
  for (let sub = 0; sub < subs && total < bestError; sub++) total += searchIntegers(sub, d, dmin, span);
  if (total >= bestError) return false;
  bestError = total;
  bestD = d;
  bestDmin = dmin;
  memory.copy(SCALES, TRIAL_S, 64);
  memory.copy(MINS, TRIAL_M, 64);
  return true;
}

/** Least-squares `(d, dmin)` for the best integers and their codes, tried at once; true if better. */
function refit(): bool {
  let ss: f64 = 0;
  let sm: f64 = 0;
  let mm: f64 = 0;
  let sx: f64 = 0;
  let mx: f64 = 0;
  for (let sub = 0; sub < subs; sub++) {
    const s = at(SCALES, sub);
    const m = at(MINS, sub);
    statistics(sub, bestD * s, bestDmin * m);
    ss += <f64>(s * s) * <f64>at(SUM_QQ, sub);
    sm += <f64>(s * m) * <f64>at(SUM_WQ, sub);
    mm += <f64>(m * m) * <f64>at(SUM_W, sub);
    sx += <f64>s * <f64>at(SUM_XQ, sub);
    mx += <f64>m * <f64>at(SUM_WX, sub);
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
  return tryFactors(rounded(<f32>d), rounded(<f32>dmin), reach);
}

/** Searches the block as it lies in `X`: result in `SCALES`, `MINS`, `CODES` and the best factors. */
function searchOneSign(): void {
  let maxS: f32 = 0;
  let maxM: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    measure(sub);
    searchSub(sub);
    maxS = max<f32>(maxS, at(IDEAL_S, sub));
    maxM = max<f32>(maxM, at(IDEAL_M, sub));
  }
  bestError = HUGE;
  for (let i = 0; i < starts; i++) {
    const fs = <f32>1 + startStep * <f32>(i - (starts >> 1));
    for (let j = 0; j < starts; j++) {
      const fm = <f32>1 + startStep * <f32>(j - (starts >> 1));
      tryFactors(rounded((maxS / scaleMax) * fs), rounded((maxM / scaleMax) * fm), 1);
    }
  }
  for (let i = 0; i < refits; i++) if (!refit()) break;
  for (let sub = 0; sub < subs; sub++) writeCodes(sub, bestD * at(SCALES, sub), bestDmin * at(MINS, sub));
}

/** True if more sub-blocks lie off zero on the positive side than on the negative one. */
function leansPositive(): bool {
  let lean: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    measure(sub);
    lean += max<f32>(at(LOW, sub), 0) + min<f32>(at(HIGH, sub), 0);
  }
  return lean > 0;
}

/** Searches the block of weights at `src`; false: all weights are zero. */
export function searchSuper(src: usize, importance: usize): bool {
  if (!loadWeights(src, 256)) return false;
  loadImportance(importance, 256);
  let sign: f32 = 1;
  if (leansPositive()) {
    sign = -1;
    negate();
  }
  searchOneSign();
  if (bothSigns) {
    const error = bestError;
    const d = bestD;
    const dmin = bestDmin;
    memory.copy(KEPT, SCALES, 64);
    memory.copy(KEPT + 64, MINS, 64);
    memory.copy(KEPT + 128, CODES, 256);
    negate();
    searchOneSign();
    sign = -sign;
    if (bestError >= error) {
      sign = -sign;
      bestD = d;
      bestDmin = dmin;
      memory.copy(SCALES, KEPT, 64);
      memory.copy(MINS, KEPT + 64, 64);
      memory.copy(CODES, KEPT + 128, 256);
    }
  }
  bestD *= sign;
  bestDmin *= sign;
  return true;
}
