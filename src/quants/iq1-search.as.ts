/**
 * The search of iq1-search.ts in SIMD: one block of 256 weights at a time, for IQ1_S (sub-blocks of 4 points
 * with one shift) and IQ1_M (2 points, each with its shift). Same steps, same names; f32 throughout.
 */
import { f16ToF32, f32ToF16, MAX_F16 } from '../kernels/half.as';
import {
  fillScales,
  groups,
  loadBlock,
  minusCosts,
  negate,
  plusCosts,
  quadCosts,
  scales,
  setLayout,
  shared,
  unit,
  ws,
  wxs,
} from './iq1-block.as';
import { excess, highCodes, lowCodes, nearestPoint, sumLanes } from './iq1-points.as';
import { COARSE, D_FIRST, D_LAST } from './tuning.as';

const MAX_TRIALS = 8;

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
/** f32 per trial of a sub-block: 2 A, B. */
const lines = memory.data(16 * MAX_TRIALS * 8, 16);
/** f32 scales tried for points, in units of the best one for free codes. */
const fastTrials = memory.data<f32>([0.88, 1.04]);
const bestTrials = memory.data<f32>([0.85, 0.96, 1.08]);

/** Sub-blocks of a block. */
let subs: usize = 8;
/** Tuning. */
let trials = fastTrials;
let trialCount: usize = 2;
let dSteps = 20;
let around = 0;
let rounds = 1;
/** Whether d of both signs are refined, or only the better one by the parabolas. */
let refineBoth = false;
/** f16 bits of the best d. */
export let bestD: u32 = 0;

/** @param groupsASub 4 for IQ1_S, 2 for IQ1_M. @param groupsAShift 4 and 1. @param effort 0 fast, 1 best. */
export function configure(groupsASub: usize, groupsAShift: usize, effort: i32): void {
  setLayout(groupsASub, groupsAShift);
  subs = 32 / groupsASub;
  trials = effort ? bestTrials : fastTrials;
  trialCount = effort ? 3 : 2;
  dSteps = effort ? 64 : 20;
  around = effort ? 1 : 0;
  rounds = effort ? 3 : 1;
  refineBoth = effort != 0;
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
  const ratio = <f32>Math.pow(<f32>D_LAST / <f32>D_FIRST, 1 / <f64>(dSteps - 1));
  const second = ratio * ratio;
  let d = f32x4.mul(f32x4.splat(largest * <f32>D_FIRST), f32x4(1, ratio, second, second * ratio));
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
    if (from < <u32>COARSE) fitMultiples(start);
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
