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
  idealError,
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
import { LOUD, SECOND_CHANCE, WIDE } from './tuning.as';

/** The chosen integer scales and mins, f32[16] each, and those under trial. */
export const SCALES: usize = memory.data(64, 16);
export const MINS: usize = memory.data(64, 16);
const TRIAL_S: usize = memory.data(64, 16);
const TRIAL_M: usize = memory.data(64, 16);
/** Errors of the sub-blocks with the chosen integers, f32[16], and of the trial. */
const ERRORS: usize = memory.data(64, 16);
const TRIAL_E: usize = memory.data(64, 16);
/** Sum of the ideal errors of the sub-blocks after each one: what a trial must still add, roughly. */
const AHEAD: usize = memory.data(64, 16);
/** Errors, scales and mins of four candidates. */
const FOUR: usize = memory.data(48, 16);
/** The first orientation's scales, mins and codes while the other is searched. */
const KEPT: usize = memory.data(384, 16);

let subs: i32 = 8;
let scaleMax: f32 = 63;

/**
 * Starts: `starts` x `starts` factors around the plain `(d, dmin)`, `startStep` apart; then `refits` refits,
 * in which S moves by `reach`; `bothSigns`: the negated block is searched as well.
 */
let starts: i32 = 1;
let startStep: f32 = 0;
let refits: i32 = 1;
let reach: i32 = 1;
let bothSigns: bool = false;

let bestD: f32 = 0;
let bestDmin: f32 = 0;
let bestError: f32 = 0;

/** Sub-blocks a block, largest code, and largest integer scale and min. */
export function setSuperShape(subCount: i32, maxCode: f32, maxScale: f32): void {
  subs = subCount;
  scaleMax = maxScale;
  setShape(256 / subCount, maxCode, 0);
}

/** How hard to search: see the variables above. */
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

/** Weighs four integer pairs for sub-block `sub`; the better ones go to the trial. Returns the least error. */
function weigh(sub: i32, d: f32, dmin: f32, scales: v128, mins: v128, least: f32): f32 {
  const bytes = <usize>(256 / subs) << 2;
  const limit = f32x4.splat(scaleMax);
  const m = f32x4.pmin(f32x4.pmax(mins, f32x4.splat(0)), limit);
  const s = f32x4.pmin(scales, limit);
  const found = errors(<usize>sub * bytes, bytes, f32x4.mul(s, f32x4.splat(d)), f32x4.mul(m, f32x4.splat(dmin)));
  if (!v128.any_true(f32x4.lt(found, f32x4.splat(least)))) return least;
  v128.store(FOUR, found);
  v128.store(FOUR, s, 16);
  v128.store(FOUR, m, 32);
  for (let i = 0; i < 4; i++) {
    if (at(FOUR, i) >= least) continue;
    least = at(FOUR, i);
    put(TRIAL_S, sub, at(FOUR, i + 4));
    put(TRIAL_M, sub, at(FOUR, i + 8));
  }
  return least;
}

/**
 * Best integer scale and min of sub-block `sub` under `(d, dmin)`; returns its error. Scales: two around the
 * ideal, or `2 * span`; mins: two (span 0) or four around the one that suits the scale.
 */
function searchIntegers(sub: i32, d: f32, dmin: f32, span: i32): f32 {
  const perW: f32 = dmin > 0 ? <f32>1 / (dmin * at(SUM_W, sub)) : 0;
  const slope = d * at(SUM_WQ, sub) * perW;
  const offset = at(SUM_WX, sub) * perW;
  const middle: f32 = d > 0 ? min<f32>(floor<f32>(at(IDEAL_S, sub) / d), scaleMax) : 0;
  if (span == 0) {
    const scales = f32x4.add(f32x4.splat(middle), f32x4(0, 0, 1, 1));
    const mins = f32x4.floor(f32x4.sub(f32x4.mul(scales, f32x4.splat(slope)), f32x4.splat(offset)));
    return weigh(sub, d, dmin, scales, f32x4.add(mins, f32x4(0, 1, 0, 1)), HUGE);
  }
  let least: f32 = HUGE;
  const last = min<f32>(middle + <f32>span, scaleMax);
  for (let scale = max<f32>(middle - <f32>(span - 1), 0); scale <= last; scale++) {
    const base = floor<f32>(scale * slope - offset);
    least = weigh(sub, d, dmin, f32x4.splat(scale), f32x4.add(f32x4.splat(base), f32x4(-1, 0, 1, 2)), least);
  }
  return least;
}

/** Tries `(d, dmin)`, keeps it if it is the best so far; true if so. */
function tryFactors(d: f32, dmin: f32, span: i32): bool {
  let total: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    const error = searchIntegers(sub, d, dmin, span);
    put(TRIAL_E, sub, error);
    total += error;
    if (total + at(AHEAD, sub) >= bestError) return false;
  }
  bestError = total;
  bestD = d;
  bestDmin = dmin;
  memory.copy(SCALES, TRIAL_S, 64);
  memory.copy(MINS, TRIAL_M, 64);
  memory.copy(ERRORS, TRIAL_E, 64);
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

/** Searches widely where one sub-block has `LOUD` times its share of the error, for it then decides. */
function polish(): void {
  const loud = (bestError * <f32>LOUD) / <f32>subs;
  for (let sub = 0; sub < subs; sub++) {
    const before = at(ERRORS, sub);
    if (before < loud) continue;
    const after = searchIntegers(sub, bestD, bestDmin, WIDE);
    if (after >= before) continue;
    bestError -= before - after;
    put(SCALES, sub, at(TRIAL_S, sub));
    put(MINS, sub, at(TRIAL_M, sub));
  }
}

/**
 * Searches the block as it lies in `X`: result in `SCALES`, `MINS`, `CODES` and the best factors; or nothing,
 * `bestError` being `limit`, where no first guess has an error under `limit`.
 */
function searchOneSign(limit: f32): void {
  let maxS: f32 = 0;
  let maxM: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    measure(sub);
    searchSub(sub);
    maxS = max<f32>(maxS, at(IDEAL_S, sub));
    maxM = max<f32>(maxM, at(IDEAL_M, sub));
  }
  bestError = limit;
  let ahead: f32 = 0;
  for (let sub = subs - 1; sub >= 0; sub--) {
    put(AHEAD, sub, ahead);
    ahead += idealError(sub);
  }
  for (let i = 0; i < starts; i++) {
    const fs = <f32>1 + startStep * <f32>(i - (starts >> 1));
    for (let j = 0; j < starts; j++) {
      const fm = <f32>1 + startStep * <f32>(j - (starts >> 1));
      tryFactors(rounded((maxS / scaleMax) * fs), rounded((maxM / scaleMax) * fm), 0);
    }
  }
  if (bestError == limit) return;
  for (let i = 0; i < refits; i++) if (!refit()) break;
  polish();
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
  searchOneSign(HUGE);
  if (bothSigns) {
    const error = bestError;
    const d = bestD;
    const dmin = bestDmin;
    memory.copy(KEPT, SCALES, 64);
    memory.copy(KEPT + 64, MINS, 64);
    memory.copy(KEPT + 128, CODES, 256);
    negate();
    searchOneSign(error * <f32>SECOND_CHANCE);
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
