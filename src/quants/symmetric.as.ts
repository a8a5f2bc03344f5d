/**
 * Scale search of the formats whose weights are `scale * value`, with values from a small fixed grid: the
 * SIMD twin of symmetric.ts, on the inner loop of grids.as.ts. The squared error at scale s is
 * sum w x x - 2 s A + s s B, least at s = A / B.
 */
import { roundToF16x4 } from '../kernels/half.as';
import {
  a0, a1, b0, b1, evaluate, evaluateFp4, extreme, greatestLane, high, invert, laneOf, LANES, low, writeCodes,
} from './grids.as';
import { NOTHING } from './tuning.as';

/** Best continuous scales of each sub-block, by which end of the grid the search began at. */
const LOW_END: usize = memory.data(64, 16);
const HIGH_END: usize = memory.data(64, 16);
const TRIAL: usize = memory.data(64, 16);
/** Integer scales of the sub-blocks, the result of `searchSuper`. */
export const SCALES: usize = memory.data(64, 16); // i32[16]

/** Four inverse scales to start from: the extreme weight falls `reach` ends of the grid out, then `ratio` times. */
function starts(x: f32, end: f32, reach: f32, ratio: f32): v128 {
  const first = reach * (end / x);
  const second = first * ratio;
  const lanes = f32x4.replace_lane(f32x4.splat(first), 1, second);
  return f32x4.replace_lane(f32x4.replace_lane(lanes, 2, second * ratio), 3, second * ratio * ratio);
}

/**
 * Best continuous scales of sub-block `sub` (weights sub * n and on) from `groups` groups of four starts at
 * each end of the grid, the first reaching `reach` ends out and each next one `ratio` times further (those of
 * the high end lie between those of the low), each improved by `rounds` least-squares steps.
 */
export function searchScales(sub: i32, n: i32, groups: i32, rounds: i32, reach: f32, ratio: f32): void {
  const first = sub * n;
  const x = extreme(first, n);
  store<f32>(LOW_END + (<usize>sub << 2), 0);
  store<f32>(HIGH_END + (<usize>sub << 2), 0);
  if (abs(x) <= <f32>NOTHING) return;
  const between: f32 = sqrt(ratio);
  const next = ratio * ratio * ratio * ratio;
  let gain0 = f32x4.splat(-1);
  let gain1 = f32x4.splat(-1);
  let best0 = f32x4.splat(0);
  let best1 = f32x4.splat(0);
  for (let g = 0; g < groups; g++) {
    let inverse0 = starts(x, low, reach, ratio);
    let inverse1 = starts(x, high, reach * between, ratio);
    for (let round = 0; round < rounds; round++) {
      evaluate(first, n, inverse0, inverse1);
      const s0 = f32x4.div(a0, b0);
      const s1 = f32x4.div(a1, b1);
      const fit0 = f32x4.mul(a0, s0);
      const fit1 = f32x4.mul(a1, s1);
      const better0 = f32x4.gt(fit0, gain0); // false for the NaN of empty fits
      const better1 = f32x4.gt(fit1, gain1);
      gain0 = v128.bitselect(fit0, gain0, better0);
      gain1 = v128.bitselect(fit1, gain1, better1);
      best0 = v128.bitselect(s0, best0, better0);
      best1 = v128.bitselect(s1, best1, better1);
      inverse0 = finite(f32x4.div(b0, a0));
      inverse1 = finite(f32x4.div(b1, a1));
    }
    reach *= next;
  }
  store<f32>(LOW_END + (<usize>sub << 2), laneOf(best0, greatestLane(gain0)));
  store<f32>(HIGH_END + (<usize>sub << 2), laneOf(best1, greatestLane(gain1)));
}

/** Values, and 0 in place of NaN and infinities. */
function finite(values: v128): v128 {
  return v128.and(values, f32x4.lt(f32x4.abs(values), f32x4.splat(Infinity)));
}

/** The trial's least-squares d, next to try. */
let refitted: f32 = 0;

/**
 * Error (less the constant sum w x x) with super-scale d: each sub-block takes the best of 4 * windows
 * integer scales around each of its two continuous ones, with its values rounded anew. Scales go to TRIAL.
 */
function tryScale(d: f32, subs: i32, n: i32, least: f32, most: f32, windows: i32): f32 {
  const inverse = <f32>1 / d;
  const ds = f32x4.splat(d);
  const minimum = f32x4.splat(least);
  const maximum = f32x4.splat(most);
  let error: f32 = 0;
  let dot: f32 = 0;
  let norm: f32 = 0;
  for (let sub = 0; sub < subs; sub++) {
    const at = <usize>sub << 2;
    const centre0: f32 = floor(load<f32>(LOW_END + at) * inverse) - <f32>(windows * 2 - 1);
    const centre1: f32 = floor(load<f32>(HIGH_END + at) * inverse) - <f32>(windows * 2 - 1);
    let cost = f32x4.splat(0);
    let scale = f32x4.splat(0);
    let a = f32x4.splat(0);
    let b = f32x4.splat(0);
    for (let g = 0; g < windows; g++) {
      const offsets = f32x4.add(f32x4(0, 1, 2, 3), f32x4.splat(<f32>(g * 4)));
      const l0 = f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.splat(centre0), offsets), minimum), maximum);
      const l1 = f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.splat(centre1), offsets), minimum), maximum);
      const s0 = f32x4.mul(ds, l0);
      const s1 = f32x4.mul(ds, l1);
      evaluate(sub * n, n, invert(s0), invert(s1));
      const c0 = f32x4.mul(s0, f32x4.sub(f32x4.mul(s0, b0), f32x4.add(a0, a0)));
      const c1 = f32x4.mul(s1, f32x4.sub(f32x4.mul(s1, b1), f32x4.add(a1, a1)));
      const better0 = f32x4.lt(c0, cost);
      cost = v128.bitselect(c0, cost, better0);
      scale = v128.bitselect(l0, scale, better0);
      a = v128.bitselect(a0, a, better0);
      b = v128.bitselect(b0, b, better0);
      const better1 = f32x4.lt(c1, cost);
      cost = v128.bitselect(c1, cost, better1);
      scale = v128.bitselect(l1, scale, better1);
      a = v128.bitselect(a1, a, better1);
      b = v128.bitselect(b1, b, better1);
    }
    const lane = greatestLane(f32x4.neg(cost));
    const l = laneOf(scale, lane);
    error += laneOf(cost, lane);
    dot += l * laneOf(a, lane);
    norm += l * l * laneOf(b, lane);
    store<i32>(TRIAL + at, <i32>l);
  }
  refitted = norm > 0 ? dot / norm : 0;
  return error;
}

/** d rounded to f16, at least the least f16 in magnitude. */
function admissible(d: f32): f32 {
  const rounded = f32x4.extract_lane(roundToF16x4(f32x4.splat(d)), 0);
  if (rounded != 0) return rounded;
  return d < 0 ? <f32>-5.960464477539063e-8 : <f32>5.960464477539063e-8;
}

/** Best continuous scale of largest magnitude, of all sub-blocks. */
function extremeScale(subs: i32): f32 {
  let found: f32 = 0;
  for (let sub: usize = 0; sub < <usize>subs; sub++) {
    const s0 = load<f32>(LOW_END + (sub << 2));
    const s1 = load<f32>(HIGH_END + (sub << 2));
    if (abs(s0) > abs(found)) found = s0;
    if (abs(s1) > abs(found)) found = s1;
  }
  return found;
}

/**
 * Super-scale search after `searchScales` of every sub-block: `tries` starting values of d, each refitted up
 * to `rounds` times; then, where `polish` is not 0, the best d again with so many windows. Leaves integer scales in SCALES and codes in CODES; returns d, an f16 value.
 */
export function searchSuper(
  subs: i32, n: i32, least: f32, most: f32, windows: i32, tries: i32, rounds: i32, spread: f32, polish: i32,
): f32 {
  const largest = extremeScale(subs);
  let best: f32 = 0;
  let bestD: f32 = 0;
  memory.fill(SCALES, 0, 64);
  // The last try starts from the best d and looks at more integer scales.
  const last = polish > 0 ? tries : tries - 1;
  for (let k = 0; k <= last && largest != 0; k++) {
    // Ends 1, 1 + spread, 1 - spread, 1 + 2 spread, … of the range of integer scales.
    const factor: f32 = <f32>1 + spread * <f32>((k & 1) != 0 ? (k + 1) >> 1 : -(k >> 1));
    let d = k < tries ? admissible((largest / least) * factor) : bestD;
    if (d == 0) break;
    for (let round = 0; round < rounds; round++) {
      const error = tryScale(d, subs, n, least, most, k < tries ? windows : polish);
      if (error < best) {
        best = error;
        bestD = d;
        memory.copy(SCALES, TRIAL, 64);
      }
      const next = admissible(refitted);
      if (next == d || refitted == 0) break;
      d = next;
    }
  }
  for (let sub = 0; sub < subs; sub++) {
    writeCodes(sub * n, n, bestD * <f32>load<i32>(SCALES + (<usize>sub << 2)));
  }
  return bestD;
}

/**
 * Best f16 scale of one block without sub-blocks, with starts as in `searchScales`; codes go to CODES.
 */
export function searchSingle(n: i32, groups: i32, rounds: i32, reach: f32, ratio: f32): f32 {
  const x = extreme(0, n);
  const between: f32 = sqrt(ratio);
  const next = ratio * ratio * ratio * ratio;
  let cost = f32x4.splat(0);
  let best = f32x4.splat(0);
  for (let g = 0; g < groups; g++) {
    let s0 = invert(starts(x, low, reach, ratio));
    let s1 = invert(starts(x, high, reach * between, ratio));
    for (let round = 0; round < rounds; round++) {
      s0 = roundToF16x4(s0);
      s1 = roundToF16x4(s1);
      evaluate(0, n, invert(s0), invert(s1));
      const c0 = f32x4.mul(s0, f32x4.sub(f32x4.mul(s0, b0), f32x4.add(a0, a0)));
      const c1 = f32x4.mul(s1, f32x4.sub(f32x4.mul(s1, b1), f32x4.add(a1, a1)));
      const better0 = f32x4.lt(c0, cost);
      cost = v128.bitselect(c0, cost, better0);
      best = v128.bitselect(s0, best, better0);
      const better1 = f32x4.lt(c1, cost);
      cost = v128.bitselect(c1, cost, better1);
      best = v128.bitselect(s1, best, better1);
      s0 = finite(f32x4.div(a0, b0));
      s1 = finite(f32x4.div(a1, b1));
    }
    reach *= next;
  }
  const d = laneOf(best, greatestLane(f32x4.neg(cost)));
  writeCodes(0, n, d);
  return d;
}

/**
 * The best of `count` (a multiple of 4) FP4 scales, at addresses `scales`..; codes go to CODES. Returns its
 * number; -1: none beats 0.
 */
export function chooseFp4Scale(first: i32, n: i32, scales: usize, count: i32): i32 {
  let best: i32 = -1;
  let least: f32 = 0;
  for (let group = 0; group < count; group += 4) {
    const s = v128.load(scales + (<usize>group << 2));
    evaluateFp4(first, n, invert(s));
    v128.store(LANES, f32x4.mul(s, f32x4.sub(f32x4.mul(s, b0), f32x4.add(a0, a0))));
    for (let lane = 0; lane < 4; lane++) {
      const cost = load<f32>(LANES + (<usize>lane << 2));
      if (cost < least) {
        least = cost;
        best = group + lane;
      }
    }
  }
  writeCodes(first, n, best < 0 ? 0 : load<f32>(scales + (<usize>best << 2)));
  return best;
}
