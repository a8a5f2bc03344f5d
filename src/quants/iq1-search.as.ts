/**
 * The search of iq1-search.ts in SIMD: one block of 256 weights at a time, for IQ1_S (sub-blocks of 4 points
 * with one shift) and IQ1_M (2 points, each with its shift). Same steps, same names; f32 throughout.
 */
import { f16ToF32, f32ToF16 } from '../kernels/half.as';
import { excess, highCodes, lowCodes, nearestPoint } from './iq1-points.as';

const TINY: f32 = 1e-12;
const IMPORTANCE_FLOOR: f32 = 1e-6;
const MAX_F16: f32 = 65504;
const D_FIRST: f32 = 1 / 24;
const D_LAST: f32 = 1 / 4;
const MAX_TRIALS = 8;

/** f32 of the block: weights over `unit`, importance, their product. */
const xs = memory.data(1024, 16);
const ws = memory.data(1024, 16);
const wxs = memory.data(1024, 16);
/** f32 per 8 weights: sum of w x. */
const groupSums = memory.data(128, 16);
/** Codes: point i32 and shift i32 (1: -1/8) of each group, multiple i32 of each sub-block; the best kept so far. */
const points = memory.data(128, 16);
const shifts = memory.data(128, 16);
const multiples = memory.data(64, 16);
export const bestPoints = memory.data(128, 16);
export const bestShifts = memory.data(128, 16);
export const bestMultiples = memory.data(64, 16);
/** Points and shifts of the sub-block tried last. */
const trialPoints = memory.data(16, 16);
const trialShifts = memory.data(16, 16);
/** f32 per sub-block: its best scale for free codes. */
const scales = memory.data(64, 16);
/** f32 per trial of a sub-block: 2 A, B. */
const lines = memory.data(16 * MAX_TRIALS * 8, 16);
/** f32 scales tried: for free codes in units of the rms, then for points in units of the best of those. */
const freeScales = memory.data<f32>([0.8, 1, 1.2, 1.45, 1.8, 2.3, 3, 4.2]);
const FREE_SCALES: usize = 8;
const fastTrials = memory.data<f32>([0.88, 1.04]);
const bestTrials = memory.data<f32>([0.85, 0.96, 1.08]);

/** Layout: points of a sub-block, points that share a shift, sub-blocks. */
let groups: usize = 4;
let shared: usize = 4;
let subs: usize = 8;
/** Tuning. */
let trials = fastTrials;
let trialCount: usize = 2;
let dSteps = 24;
let around = 0;
let rounds = 1;
/** Whether d of both signs are refined, or only the better one by the parabolas. */
let refineBoth = false;
/** Power of two that the block was divided by. */
let unit: f32 = 1;
/** Sums A = w x y and B = w y^2 of the codes tried last. */
let sumA: f32 = 0;
let sumB: f32 = 0;
/** f16 bits of the best d. */
export let bestD: u32 = 0;

/** @param pointsASub 4 for IQ1_S, 2 for IQ1_M. @param effort 0 fast, 1 best. */
export function configure(pointsASub: usize, pointsAShift: usize, effort: i32): void {
  groups = pointsASub;
  shared = pointsAShift;
  subs = 32 / pointsASub;
  trials = effort ? bestTrials : fastTrials;
  trialCount = effort ? 3 : 2;
  dSteps = effort ? 64 : 32;
  around = effort ? 1 : 0;
  rounds = effort ? 3 : 1;
  refineBoth = effort != 0;
}

// @ts-ignore: decorator
@inline
function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Loads a block with its largest magnitude in [1, 2). @returns false: all zero. */
function loadBlock(src: usize, importance: usize): bool {
  const infinite = f32x4.splat(Infinity);
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < 1024; i += 16) {
    const x = v128.load(src + i);
    const magnitude = f32x4.abs(x);
    const finite = f32x4.lt(magnitude, infinite);
    v128.store(xs + i, v128.and(x, finite));
    largest = f32x4.max(largest, v128.and(magnitude, finite));
  }
  const top = maxLane(largest);
  if (top < TINY) return false;
  unit = reinterpret<f32>(reinterpret<u32>(top) & 0x7f800000);
  const inverse = f32x4.splat(1 / unit);
  for (let i: usize = 0; i < 1024; i += 16) v128.store(xs + i, f32x4.mul(v128.load(xs + i), inverse));
  loadImportance(importance);
  for (let g: usize = 0; g < 32; g++) {
    const at = g << 5;
    const low = f32x4.mul(v128.load(xs + at), v128.load(ws + at));
    const high = f32x4.mul(v128.load(xs + at + 16), v128.load(ws + at + 16));
    v128.store(wxs + at, low);
    v128.store(wxs + at + 16, high);
    store<f32>(groupSums + 4 * g, sumLanes(f32x4.add(low, high)));
  }
  return true;
}

// @ts-ignore: decorator
@inline
function maxLane(v: v128): f32 {
  const pairs = f32x4.max(v, v128.shuffle<f32>(v, v, 2, 3, 0, 1));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** Importance over its largest; all equal where it is missing, has a value that is none, or is all zero. */
function loadImportance(importance: usize): void {
  let heaviest: f32 = 0;
  let valid = importance != 0;
  if (valid) {
    let largest = f32x4.splat(0);
    let invalid = i32x4.splat(0);
    for (let i: usize = 0; i < 1024; i += 16) {
      const v = v128.load(importance + i);
      largest = f32x4.max(largest, v);
      invalid = v128.or(invalid, v128.not(f32x4.ge(v, f32x4.splat(0))));
    }
    heaviest = maxLane(largest);
    valid = !v128.any_true(invalid) && heaviest > 0 && heaviest < Infinity;
  }
  if (!valid) {
    for (let i: usize = 0; i < 1024; i += 16) v128.store(ws + i, f32x4.splat(1));
    return;
  }
  const top = f32x4.splat(heaviest);
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(ws + i, f32x4.max(f32x4.div(v128.load(importance + i), top), f32x4.splat(IMPORTANCE_FLOOR)));
  }
}

/** Cost, in units of scale^2 and less what both shifts share, of free codes for `count` points. */
function freeCost(group: usize, count: usize, twice: f32, shift: f32): f32 {
  const factor = f32x4.splat(twice);
  const offset = f32x4.splat(2 * shift);
  let sum = f32x4.splat(0);
  for (let at = group << 5; at < (group + count) << 5; at += 16) {
    const w = v128.load(ws + at);
    const p = f32x4.sub(f32x4.mul(v128.load(wxs + at), factor), f32x4.mul(w, offset));
    sum = f32x4.add(sum, f32x4.min(f32x4.splat(0), f32x4.sub(w, f32x4.abs(p))));
  }
  let base: f32 = 0;
  for (let g = group; g < group + count; g++) base += load<f32>(groupSums + 4 * g);
  return sumLanes(sum) - base * twice * shift;
}

/** Adds A and B of the free codes of `count` points to the sums. */
function addFreeCodes(group: usize, count: usize, twice: f32, shift: f32): void {
  const factor = f32x4.splat(twice);
  const offset = f32x4.splat(shift);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let at = group << 5; at < (group + count) << 5; at += 16) {
    const w = v128.load(ws + at);
    const wx = v128.load(wxs + at);
    const p = f32x4.sub(f32x4.mul(wx, factor), f32x4.mul(w, f32x4.splat(2 * shift)));
    const sign = v128.or(v128.and(p, i32x4.splat(0x80000000)), f32x4.splat(1));
    const y = f32x4.add(offset, v128.and(sign, f32x4.gt(f32x4.abs(p), w)));
    a = f32x4.add(a, f32x4.mul(wx, y));
    b = f32x4.add(b, f32x4.mul(w, f32x4.mul(y, y)));
  }
  sumA += sumLanes(a);
  sumB += sumLanes(b);
}

/** The least-squares scale of a sub-block where every ternary code is allowed; 0: no weights. */
function freeScale(sub: usize): f32 {
  const first = sub * groups;
  let xx = f32x4.splat(0);
  let ww = f32x4.splat(0);
  for (let at = first << 5; at < (first + groups) << 5; at += 16) {
    xx = f32x4.add(xx, f32x4.mul(v128.load(wxs + at), v128.load(xs + at)));
    ww = f32x4.add(ww, v128.load(ws + at));
  }
  const importance = sumLanes(ww);
  const rms = Mathf.sqrt(sumLanes(xx) / importance);
  if (!(rms > 0)) return 0;
  let least: f32 = Infinity;
  let chosen: f32 = rms;
  for (let k: usize = 0; k < FREE_SCALES; k++) {
    const scale = rms * load<f32>(freeScales + 4 * k);
    const twice = <f32>2 / scale;
    let cost: f32 = <f32>0.015625 * importance; // shift^2, which both shifts share
    for (let g = first; g < first + groups; g += shared) {
      cost += min(freeCost(g, shared, twice, 0.125), freeCost(g, shared, twice, -0.125));
    }
    cost *= scale * scale;
    if (cost >= least) continue;
    least = cost;
    chosen = scale;
  }
  sumA = 0;
  sumB = 0;
  const twice = <f32>2 / chosen;
  for (let g = first; g < first + groups; g += shared) {
    const plus = freeCost(g, shared, twice, 0.125) <= freeCost(g, shared, twice, -0.125);
    addFreeCodes(g, shared, twice, plus ? 0.125 : -0.125);
  }
  return sumA > 0 ? sumA / sumB : 0;
}

/** Nearest points of `count` groups into `trialPoints` from slot `slot` on. @returns what they cost beyond free codes. */
function snap(group: usize, count: usize, slot: usize, twice: f32, shift: f32): f32 {
  const factor = f32x4.splat(twice);
  const offset = f32x4.splat(2 * shift);
  let sum: f32 = 0;
  for (let g: usize = 0; g < count; g++) {
    const at = (group + g) << 5;
    const w0 = v128.load(ws + at);
    const w1 = v128.load(ws + at + 16);
    const p0 = f32x4.sub(f32x4.mul(v128.load(wxs + at), factor), f32x4.mul(w0, offset));
    const p1 = f32x4.sub(f32x4.mul(v128.load(wxs + at + 16), factor), f32x4.mul(w1, offset));
    store<i32>(trialPoints + 4 * (slot + g), nearestPoint(p0, p1, w0, w1));
    sum += excess;
  }
  return sum;
}

const kept = memory.data(16, 16);

/** Chooses points and one shift for `shared` groups; the other shift is left out where even free codes cost more. */
function chooseUnit(group: usize, slot: usize, twice: f32): void {
  const plus = freeCost(group, shared, twice, 0.125);
  const minus = freeCost(group, shared, twice, -0.125);
  let shift: f32 = plus <= minus ? 0.125 : -0.125;
  const cost = min(plus, minus) + snap(group, shared, slot, twice, shift);
  const bound = max(plus, minus);
  if (bound < cost) {
    const from = trialPoints + 4 * slot;
    for (let g: usize = 0; g < shared; g++) store<i32>(kept + 4 * g, load<i32>(from + 4 * g));
    if (bound + snap(group, shared, slot, twice, -shift) < cost) shift = -shift;
    else for (let g: usize = 0; g < shared; g++) store<i32>(from + 4 * g, load<i32>(kept + 4 * g));
  }
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  const offset = f32x4.splat(shift);
  for (let g: usize = 0; g < shared; g++) {
    const at = (group + g) << 5;
    const point = load<i32>(trialPoints + 4 * (slot + g));
    store<i32>(trialShifts + 4 * (slot + g), shift < 0 ? 1 : 0);
    const low = f32x4.add(lowCodes(point), offset);
    const high = f32x4.add(highCodes(point), offset);
    a = f32x4.add(a, f32x4.mul(v128.load(wxs + at), low));
    a = f32x4.add(a, f32x4.mul(v128.load(wxs + at + 16), high));
    b = f32x4.add(b, f32x4.mul(v128.load(ws + at), f32x4.mul(low, low)));
    b = f32x4.add(b, f32x4.mul(v128.load(ws + at + 16), f32x4.mul(high, high)));
  }
  sumA += sumLanes(a);
  sumB += sumLanes(b);
}

/** Chooses the codes of a sub-block at a scale into `trialPoints`, `trialShifts`, `sumA` and `sumB`. */
function choose(sub: usize, scale: f32): void {
  sumA = 0;
  sumB = 0;
  const twice = <f32>2 / scale;
  for (let g: usize = 0; g < groups; g += shared) chooseUnit(sub * groups + g, g, twice);
}

/** Finds the free scales of all sub-blocks. @returns the largest. */
function fillScales(): f32 {
  let largest: f32 = 0;
  for (let sub: usize = 0; sub < subs; sub++) {
    const scale = freeScale(sub);
    store<f32>(scales + 4 * sub, scale);
    largest = max(largest, scale);
  }
  return largest;
}

/** Fills the parabolas. */
function fillLines(): void {
  for (let sub: usize = 0; sub < subs; sub++) {
    const scale = load<f32>(scales + 4 * sub);
    for (let k: usize = 0; k < trialCount; k++) {
      if (scale > 0) choose(sub, scale * load<f32>(trials + 4 * k));
      else sumA = sumB = 0;
      const line = lines + 8 * (sub * trialCount + k);
      store<f32>(line, 2 * sumA);
      store<f32>(line + 4, sumB);
    }
  }
}

/** Errors (less a constant) by the parabolas of four d at once. */
function errorsOf(d: v128): v128 {
  let error = f32x4.splat(0);
  for (let sub: usize = 0; sub < subs; sub++) {
    let least = f32x4.splat(Infinity);
    const first = lines + 8 * sub * trialCount;
    for (let line = first; line < first + 8 * trialCount; line += 8) {
      const a = v128.load_splat<f32>(line);
      const b = v128.load_splat<f32>(line + 4);
      let scale = d;
      const two = f32x4.add(d, d);
      for (let m = 0; m < 8; m++) {
        least = f32x4.min(least, f32x4.mul(scale, f32x4.sub(f32x4.mul(scale, b), a)));
        scale = f32x4.add(scale, two);
      }
    }
    error = f32x4.add(error, least);
  }
  return error;
}

/** Error, less a constant, of the last fit. */
let fitError: f32 = 0;

/** Best multiples for d by the parabolas. @returns the least-squares d for them; 0: no weights. */
function fitMultiples(d: f32): f32 {
  let ma: f32 = 0;
  let mmb: f32 = 0;
  fitError = 0;
  for (let sub: usize = 0; sub < subs; sub++) {
    let least: f32 = Infinity;
    let a: f32 = 0;
    let b: f32 = 0;
    const first = lines + 8 * sub * trialCount;
    for (let k = 0; k < 8; k++) {
      const m = <f32>((k << 1) + 1);
      for (let line = first; line < first + 8 * trialCount; line += 8) {
        const twoA = load<f32>(line);
        const cost = d * m * (d * m * load<f32>(line + 4) - twoA);
        if (cost >= least) continue;
        least = cost;
        store<i32>(multiples + 4 * sub, k);
        a = <f32>0.5 * m * twoA;
        b = m * m * load<f32>(line + 4);
      }
    }
    fitError += least;
    ma += a;
    mmb += b;
  }
  return mmb > 0 ? ma / mmb : 0;
}

/** The d of least error by the parabolas, refitted, with its multiples. */
function searchD(largest: f32): f32 {
  fillLines();
  const ratio = <f32>Math.pow(D_LAST / D_FIRST, 1 / <f64>(dSteps - 1));
  const second = ratio * ratio;
  let d = f32x4.mul(f32x4.splat(largest * D_FIRST), f32x4(1, ratio, second, second * ratio));
  const onward = f32x4.splat(second * second);
  let least = f32x4.splat(0);
  let chosen = f32x4.splat(0);
  for (let step = 0; step < dSteps; step += 4) {
    const error = errorsOf(d);
    const better = f32x4.lt(error, least);
    least = f32x4.min(least, error);
    chosen = v128.bitselect(d, chosen, better);
    d = f32x4.mul(d, onward);
  }
  let error: f32 = 0;
  let best: f32 = 0;
  for (let lane = 0; lane < 4; lane++) {
    const found = f32x4.extract_lane(least, 0);
    if (found < error) {
      error = found;
      best = f32x4.extract_lane(chosen, 0);
    }
    least = v128.shuffle<f32>(least, least, 1, 2, 3, 0);
    chosen = v128.shuffle<f32>(chosen, chosen, 1, 2, 3, 0);
  }
  best = fitMultiples(best);
  fitMultiples(best);
  return best;
}

/** The sums of m A and m^2 B of `assign`. */
let sumMa: f32 = 0;
let sumMmb: f32 = 0;

/** New codes for every sub-block at d. */
function assign(d: f32): void {
  sumMa = 0;
  sumMmb = 0;
  for (let sub: usize = 0; sub < subs; sub++) {
    const middle = load<i32>(multiples + 4 * sub);
    let least: f32 = Infinity;
    let ma: f32 = 0;
    let mmb: f32 = 0;
    for (let k = max(0, middle - around); k <= min(7, middle + around); k++) {
      const m = <f32>((k << 1) + 1);
      choose(sub, d * m);
      const cost = d * m * (d * m * sumB - 2 * sumA);
      if (cost >= least) continue;
      least = cost;
      ma = m * sumA;
      mmb = m * m * sumB;
      store<i32>(multiples + 4 * sub, k);
      memory.copy(points + 4 * sub * groups, trialPoints, 4 * groups);
      memory.copy(shifts + 4 * sub * groups, trialShifts, 4 * groups);
    }
    sumMa += ma;
    sumMmb += mmb;
  }
}

/** f16 bits of a scale of the loaded block, at most the largest finite one. */
function halfBits(d: f32): u32 {
  return f32ToF16(min(d * unit, MAX_F16));
}

/** Error of the best codes and sign bit of their d. */
let bestError: f32 = 0;

/** Refines codes, multiples and d in turns, from d and the multiples on; keeps what is better than the best so far. */
function refine(d: f32, sign: u32): void {
  for (let round = 0; round < rounds; round++) {
    const start = f16ToF32(halfBits(d)) / unit;
    if (start == 0) return;
    assign(start);
    d = sumMa / sumMmb;
    const bits = halfBits(d);
    const stored = f16ToF32(bits) / unit;
    const error = stored * (stored * sumMmb - 2 * sumMa);
    if (!(error < bestError)) return;
    bestError = error;
    bestD = bits | sign;
    memory.copy(bestPoints, points, 128);
    memory.copy(bestShifts, shifts, 128);
    memory.copy(bestMultiples, multiples, 64);
  }
}

/** Replaces the weights by their opposites. */
function negate(): void {
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(xs + i, f32x4.neg(v128.load(xs + i)));
    v128.store(wxs + i, f32x4.neg(v128.load(wxs + i)));
  }
  for (let i: usize = 0; i < 128; i += 16) v128.store(groupSums + i, f32x4.neg(v128.load(groupSums + i)));
}

/** Searches one block; its codes are then in `bestD`, `bestMultiples`, `bestPoints` and `bestShifts`. */
export function searchBlock(src: usize, importance: usize): void {
  bestD = 0;
  bestError = 0;
  memory.fill(bestPoints, 0, 128);
  memory.fill(bestShifts, 0, 128);
  memory.fill(bestMultiples, 0, 64);
  if (!loadBlock(src, importance)) return;
  const largest = fillScales();
  const plus = searchD(largest);
  if (refineBoth) refine(plus, 0);
  else memory.copy(bestMultiples, multiples, 64);
  const plusError = fitError;
  negate();
  const minus = searchD(largest);
  if (refineBoth || fitError < plusError) return refine(minus, 0x8000);
  memory.copy(multiples, bestMultiples, 64);
  negate();
  refine(plus, 0);
}
