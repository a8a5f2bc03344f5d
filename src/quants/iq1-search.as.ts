/**
 * The search of iq1-search.ts in SIMD: one block of 256 weights at a time, for IQ1_S (sub-blocks of 4 points
 * with one shift) and IQ1_M (2 points, each with its shift). Same steps, same names; f32 throughout.
 */
import { f16ToF32, f32ToF16 } from '../kernels/half.as';
import { excess, highCodes, lowCodes, nearestPoint } from './iq1-points.as';

const TINY: f32 = 1e-12;
const IMPORTANCE_FLOOR: f32 = 1e-6;
const MAX_F16: f32 = 65504;
/** f16 bits below which rounding moves d so far that other multiples may fit better. */
const COARSE: u32 = 64;
const D_FIRST: f32 = 1 / 24;
const D_LAST: f32 = 1 / 4;
const MAX_TRIALS = 8;

/** f32 of the block: weights over `unit`, importance, their product. */
const xs = memory.data(1024, 16);
const ws = memory.data(1024, 16);
const wxs = memory.data(1024, 16);
/** Importance and product once more, four groups of 8 weights side by side: [quad][component][group]. */
const quadWs = memory.data(1024, 16);
const quadWxs = memory.data(1024, 16);
/** Codes: point i32 and shift i32 (1: -1/8) of each group, multiple i32 of each sub-block; the best kept so far. */
const points = memory.data(128, 16);
const shifts = memory.data(128, 16);
const multiples = memory.data(64, 16);
export const bestPoints = memory.data(128, 16);
export const bestShifts = memory.data(128, 16);
export const bestMultiples = memory.data(64, 16);
/** Points and shifts of the quad (four groups) tried last, and f32 A and B of its sub-blocks. */
const trialPoints = memory.data(32, 16); // 16 used: units of one group are saved 16 bytes at a time
const trialShifts = memory.data(16, 16);
const trialSums = memory.data(16, 16);
/** The point of each group chosen last, -1: none. */
const hints = memory.data(128, 16);
/** Per lane of a quad: 2 / scale and free costs. */
const laneTwice = memory.data(16, 16);
const lanePlus = memory.data(16, 16);
const laneMinus = memory.data(16, 16);
/** f32 per group: the best scale of its sub-block for free codes. */
const scales = memory.data(128, 16);
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
  for (let i: usize = 0; i < 1024; i += 16) {
    v128.store(wxs + i, f32x4.mul(v128.load(xs + i), v128.load(ws + i)));
  }
  for (let i: usize = 0; i < 256; i++) {
    const to = 4 * ((i & 0xe0) | ((i & 7) << 2) | ((i >> 3) & 3));
    store<f32>(quadWs + to, load<f32>(ws + 4 * i));
    store<f32>(quadWxs + to, load<f32>(wxs + 4 * i));
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

/** Free costs of four groups with shift 1/8 and with -1/8, as `quadCosts` found them. */
let plusCosts: v128 = f32x4.splat(0);
let minusCosts: v128 = f32x4.splat(0);

/** Sums over the groups that share a shift, in each of their lanes. */
// @ts-ignore: decorator
@inline
function overShift(v: v128): v128 {
  return shared == 1 ? v : overSub(v);
}

/** Sums over the groups of a sub-block, in each of their lanes. */
// @ts-ignore: decorator
@inline
function overSub(v: v128): v128 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 1, 0, 3, 2));
  return groups == 2 ? pairs : f32x4.add(pairs, v128.shuffle<f32>(pairs, pairs, 2, 3, 0, 1));
}

/** Costs of the best free codes of a quad's groups, in units of scale^2 and less what both shifts share. */
function quadCosts(quad: usize, twice: v128): void {
  let plus = f32x4.splat(0);
  let minus = f32x4.splat(0);
  let sum = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const p = f32x4.mul(v128.load(quadWxs + at), twice);
    const offset = f32x4.mul(w, f32x4.splat(0.25));
    sum = f32x4.add(sum, p);
    plus = f32x4.add(plus, f32x4.min(f32x4.splat(0), f32x4.sub(w, f32x4.abs(f32x4.sub(p, offset)))));
    minus = f32x4.add(minus, f32x4.min(f32x4.splat(0), f32x4.sub(w, f32x4.abs(f32x4.add(p, offset)))));
  }
  const base = f32x4.mul(sum, f32x4.splat(0.125));
  plusCosts = overShift(f32x4.sub(plus, base));
  minusCosts = overShift(f32x4.add(minus, base));
}

/** Least-squares scales of a quad's sub-blocks for the best free codes at a scale. */
function refitFree(quad: usize, scale: v128): v128 {
  const twice = f32x4.div(f32x4.splat(2), scale);
  quadCosts(quad, twice);
  const offset = v128.bitselect(f32x4.splat(0.125), f32x4.splat(-0.125), f32x4.le(plusCosts, minusCosts));
  const twiceOffset = f32x4.add(offset, offset);
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const wx = v128.load(quadWxs + at);
    const p = f32x4.sub(f32x4.mul(wx, twice), f32x4.mul(w, twiceOffset));
    const sign = v128.or(v128.and(p, i32x4.splat(0x80000000)), f32x4.splat(1));
    const y = f32x4.add(offset, v128.and(sign, f32x4.gt(f32x4.abs(p), w)));
    a = f32x4.add(a, f32x4.mul(wx, y));
    b = f32x4.add(b, f32x4.mul(w, f32x4.mul(y, y)));
  }
  const fitted = overSub(a);
  return v128.and(f32x4.div(fitted, overSub(b)), f32x4.gt(fitted, f32x4.splat(0)));
}

/** Least-squares scales of a quad's sub-blocks, one a lane, where every ternary code is allowed; 0: no weights. */
function freeScale(quad: usize): v128 {
  let xx = f32x4.splat(0);
  let ww = f32x4.splat(0);
  for (let at = quad << 7; at < (quad + 1) << 7; at += 16) {
    const w = v128.load(quadWs + at);
    const wx = v128.load(quadWxs + at);
    xx = f32x4.add(xx, f32x4.div(f32x4.mul(wx, wx), w));
    ww = f32x4.add(ww, w);
  }
  ww = overSub(ww);
  const rms = f32x4.sqrt(f32x4.div(overSub(xx), ww));
  const constant = f32x4.mul(ww, f32x4.splat(0.015625)); // shift^2, which both shifts share
  let least = f32x4.splat(Infinity);
  let chosen = f32x4.splat(0);
  for (let k: usize = 0; k < FREE_SCALES; k++) {
    const scale = f32x4.mul(rms, v128.load_splat<f32>(freeScales + 4 * k));
    quadCosts(quad, f32x4.div(f32x4.splat(2), scale));
    const costs = f32x4.min(plusCosts, minusCosts);
    const total = f32x4.add(shared == 1 ? overSub(costs) : costs, constant);
    const error = f32x4.mul(total, f32x4.mul(scale, scale));
    chosen = v128.bitselect(scale, chosen, f32x4.lt(error, least));
    least = f32x4.min(least, error);
  }
  return v128.and(refitFree(quad, chosen), f32x4.gt(chosen, f32x4.splat(0)));
}

/**
 * Nearest points of the groups that share a shift into `trialPoints` from slot `slot` on.
 * @returns what they cost beyond free codes; infinite where that is not below `limit`.
 */
function snap(group: usize, slot: usize, twice: f32, shift: f32, limit: f32): f32 {
  const factor = f32x4.splat(twice);
  const offset = f32x4.splat(2 * shift);
  let sum: f32 = 0;
  for (let g: usize = 0; g < shared; g++) {
    const at = (group + g) << 5;
    const w0 = v128.load(ws + at);
    const w1 = v128.load(ws + at + 16);
    const p0 = f32x4.sub(f32x4.mul(v128.load(wxs + at), factor), f32x4.mul(w0, offset));
    const p1 = f32x4.sub(f32x4.mul(v128.load(wxs + at + 16), factor), f32x4.mul(w1, offset));
    const hint = load<i32>(hints + 4 * (group + g));
    store<i32>(trialPoints + 4 * (slot + g), nearestPoint(p0, p1, w0, w1, limit - sum, hint));
    sum += excess;
    if (sum == Infinity) break;
  }
  return sum;
}

/** Chooses points and one shift for `shared` groups; the other shift is left out where even free codes cost more. */
function chooseUnit(group: usize, slot: usize, twice: f32, plus: f32, minus: f32): void {
  let shift: f32 = plus <= minus ? 0.125 : -0.125;
  const first = snap(group, slot, twice, shift, Infinity);
  const left = first - abs(plus - minus);
  if (left > 0) {
    const from = trialPoints + 4 * slot;
    const before = v128.load(from);
    if (snap(group, slot, twice, -shift, left) < left) shift = -shift;
    else v128.store(from, before);
  }
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  const offset = f32x4.splat(shift);
  for (let g: usize = 0; g < shared; g++) {
    const at = (group + g) << 5;
    const point = max(0, load<i32>(trialPoints + 4 * (slot + g))); // -1 where every cost was infinite
    store<i32>(trialPoints + 4 * (slot + g), point);
    store<i32>(trialShifts + 4 * (slot + g), shift < 0 ? 1 : 0);
    store<i32>(hints + 4 * (group + g), point);
    const low = f32x4.add(lowCodes(point), offset);
    const high = f32x4.add(highCodes(point), offset);
    a = f32x4.add(a, f32x4.mul(v128.load(wxs + at), low));
    a = f32x4.add(a, f32x4.mul(v128.load(wxs + at + 16), high));
    b = f32x4.add(b, f32x4.mul(v128.load(ws + at), f32x4.mul(low, low)));
    b = f32x4.add(b, f32x4.mul(v128.load(ws + at + 16), f32x4.mul(high, high)));
  }
  // Slots of a sub-block share its sums.
  const sums = trialSums + 8 * (slot / groups);
  store<f32>(sums, load<f32>(sums) + sumLanes(a));
  store<f32>(sums + 4, load<f32>(sums + 4) + sumLanes(b));
}

/** Chooses the codes of a quad, with a scale a lane, into `trialPoints`, `trialShifts` and `trialSums`. */
function choose(quad: usize, scale: v128): void {
  const twice = f32x4.div(f32x4.splat(2), scale);
  quadCosts(quad, twice);
  v128.store(laneTwice, twice);
  v128.store(lanePlus, plusCosts);
  v128.store(laneMinus, minusCosts);
  v128.store(trialSums, i32x4.splat(0));
  for (let g: usize = 0; g < 4; g += shared) {
    const at = 4 * g;
    chooseUnit(4 * quad + g, g, load<f32>(laneTwice + at), load<f32>(lanePlus + at), load<f32>(laneMinus + at));
  }
}

/** Finds the free scales of all groups. @returns the largest. */
function fillScales(): f32 {
  let largest = f32x4.splat(0);
  for (let quad: usize = 0; quad < 8; quad++) {
    const scale = freeScale(quad);
    v128.store(scales + 16 * quad, scale);
    largest = f32x4.max(largest, scale);
  }
  return maxLane(largest);
}

/** Fills the parabolas. */
function fillLines(): void {
  const subsAQuad: usize = 4 / groups;
  for (let quad: usize = 0; quad < 8; quad++) {
    const scale = v128.load(scales + 16 * quad);
    // Without weights any scale will do: A is 0.
    const usable = v128.bitselect(scale, f32x4.splat(1), f32x4.gt(scale, f32x4.splat(0)));
    for (let k: usize = 0; k < trialCount; k++) {
      choose(quad, f32x4.mul(usable, v128.load_splat<f32>(trials + 4 * k)));
      for (let sub: usize = 0; sub < subsAQuad; sub++) {
        const line = lines + 8 * ((quad * subsAQuad + sub) * trialCount + k);
        store<f32>(line, 2 * load<f32>(trialSums + 8 * sub));
        store<f32>(line + 4, load<f32>(trialSums + 8 * sub + 4));
      }
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
  memory.fill(hints, 0xff, 128);
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

/** Least error of each sub-block of a quad, its m A and its m^2 B. */
const quadLeast = memory.data(8, 16);
const quadMa = memory.data(8, 16);
const quadMmb = memory.data(8, 16);
/** Multiples of a quad's sub-blocks: before, and in the trial; m of each lane. */
const quadMiddle = memory.data(8, 16);
const quadTrial = memory.data(8, 16);
const laneScale = memory.data(16, 16);

/** New codes for every sub-block at d. */
function assign(d: f32): void {
  sumMa = 0;
  sumMmb = 0;
  const subsAQuad: usize = 4 / groups;
  for (let quad: usize = 0; quad < 8; quad++) {
    const first = multiples + 4 * quad * subsAQuad;
    store<u64>(quadMiddle, load<u64>(first));
    for (let sub: usize = 0; sub < subsAQuad; sub++) store<f32>(quadLeast + 4 * sub, Infinity);
    for (let step = -around; step <= around; step++) {
      for (let lane: usize = 0; lane < 4; lane++) {
        const sub = 4 * (lane / groups);
        const k = min(7, max(0, load<i32>(quadMiddle + sub) + step));
        store<i32>(quadTrial + sub, k);
        store<f32>(laneScale + 4 * lane, d * <f32>((k << 1) + 1));
      }
      choose(quad, v128.load(laneScale));
      for (let sub: usize = 0; sub < subsAQuad; sub++) keepBetter(quad * subsAQuad + sub, sub, d);
    }
    for (let sub: usize = 0; sub < subsAQuad; sub++) {
      sumMa += load<f32>(quadMa + 4 * sub);
      sumMmb += load<f32>(quadMmb + 4 * sub);
    }
  }
}

/** Takes over the trial of a sub-block, number `slot` of its quad, where it is the best so far. */
function keepBetter(sub: usize, slot: usize, d: f32): void {
  const k = load<i32>(quadTrial + 4 * slot);
  const m = <f32>((k << 1) + 1);
  const ma = m * load<f32>(trialSums + 8 * slot);
  const mmb = m * m * load<f32>(trialSums + 8 * slot + 4);
  const error = d * (d * mmb - 2 * ma);
  if (error >= load<f32>(quadLeast + 4 * slot)) return;
  store<f32>(quadLeast + 4 * slot, error);
  store<f32>(quadMa + 4 * slot, ma);
  store<f32>(quadMmb + 4 * slot, mmb);
  store<i32>(multiples + 4 * sub, k);
  const bytes = 4 * groups;
  memory.copy(points + sub * bytes, trialPoints + slot * bytes, bytes);
  memory.copy(shifts + sub * bytes, trialShifts + slot * bytes, bytes);
}

/** f16 bits of a scale of the loaded block, neither 0 nor infinite. */
function halfBits(d: f32): u32 {
  return max<u32>(1, f32ToF16(min(d * unit, MAX_F16)));
}

/** Error of the best codes and sign bit of their d. */
let bestError: f32 = 0;

/** Refines codes, multiples and d in turns, from d and the multiples on; keeps what is better than the best so far. */
function refine(d: f32, sign: u32): void {
  for (let round = 0; round < rounds; round++) {
    const from = halfBits(d);
    const start = f16ToF32(from) / unit;
    if (from < COARSE) fitMultiples(start);
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
    v128.store(wxs + i, f32x4.neg(v128.load(wxs + i)));
    v128.store(quadWxs + i, f32x4.neg(v128.load(quadWxs + i)));
  }
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
