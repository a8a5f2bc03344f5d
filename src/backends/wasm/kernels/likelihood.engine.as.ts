/**
 * How well rows of logits predict: losses and divergences. e^x is f32, sums are f64. A row with a NaN, with +inf or with
 * nothing but -inf has no probabilities; its figures are NaN.
 */
import { exp4, expLess1 } from './exp.as';
import { claim, rowAt } from './work.as';


/** The largest of `cols` logits; NaN ones are passed over. */
function largest(x: usize, cols: i32): f32 {
  const end = x + (<usize>cols << 2);
  let four = f32x4.splat(-Infinity);
  // pmax(a, b) is a where b is NaN.
  for (; x + 16 <= end; x += 16) four = f32x4.pmax(four, v128.load(x));
  let most = <f32>-Infinity;
  for (; x < end; x += 4) if (load<f32>(x) > most) most = load<f32>(x);
  most = max(most, f32x4.extract_lane(four, 0));
  most = max(most, f32x4.extract_lane(four, 1));
  most = max(most, f32x4.extract_lane(four, 2));
  return max(most, f32x4.extract_lane(four, 3));
}

/** Id of the first logit equal to `most`; 0 where the first one is NaN. */
function firstAt(x: usize, cols: i32, most: f32): i32 {
  if (isNaN(load<f32>(x))) return 0;
  const wanted = f32x4.splat(most);
  let id = 0;
  while (id + 4 <= cols && !v128.any_true(f32x4.eq(v128.load(x + (<usize>id << 2)), wanted))) id += 4;
  while (id < cols - 1 && load<f32>(x + (<usize>id << 2)) != most) id++;
  return id;
}

/** Sum of e^(x - most) over `cols` logits. */
function total(x: usize, cols: i32, most: f32): f64 {
  const end = x + (<usize>cols << 2);
  const offset = f32x4.splat(most);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (; x + 16 <= end; x += 16) {
    const powers = exp4(f32x4.sub(v128.load(x), offset));
    low = f64x2.add(low, f64x2.promote_low_f32x4(powers));
    high = f64x2.add(high, f64x2.promote_low_f32x4(upper(powers)));
  }
  let sum = sumLanes(low, high);
  for (; x < end; x += 4) {
    const powers = exp4(f32x4.sub(v128.load32_splat(x), offset));
    sum += <f64>f32x4.extract_lane(powers, 0);
  }
  return sum;
}

/** Target of a row; traps unless it is below `cols`. */
function targetAt(targets: usize, stride: i32, row: i32, cols: i32): usize {
  const target = load<u32>(rowAt(targets, row, stride));
  if (target >= <u32>cols) unreachable();
  return <usize>target << 2;
}

/** out[s] = negative log-likelihood of target s (nats), id of the largest logit; logits [rows, cols]. */
export function loss(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  logits: usize, stride: i32, targets: usize, targetStride: i32, out: usize, outStride: i32, rows: i32, cols: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const x = rowAt(logits, row, stride);
    const target = targetAt(targets, targetStride, row, cols);
    const most = largest(x, cols);
    const logTotal = Math.log(total(x, cols, most));
    const result = rowAt(out, row, outStride);
    store<f32>(result, <f32>(logTotal - (<f64>load<f32>(x + target) - <f64>most)));
    store<f32>(result, <f32>firstAt(x, cols, most), 4);
  }
}

/** Where `compare` puts its sums, f64 each. */
const BASE_TOTAL: usize = 0;
const EXCESS: usize = 8;
const CROSS: usize = 16;

/** Bound of expLess1: ln 2 / 2. */
const NEAR: f32 = 0.34657359;

function sumLanes(low: v128, high: v128): f64 {
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}

/**
 * Sums over `cols` logits x and base logits b, at most `most` and `bMost`. With u = b - bMost, v = x - most and d = u - v:
 * BASE_TOTAL e^u; EXCESS e^v - e^u, what x's total has more; CROSS e^u d. Where d is small, e^v - e^u is e^u (e^-d - 1),
 * so that errors of e^u cancel in the divergence of distributions that are close.
 */
function compare(x: usize, most: f32, b: usize, bMost: f32, cols: i32, sums: usize): void {
  const shift = f64x2.splat(<f64>most - <f64>bMost);
  const zero = f64x2.splat(0);
  let totalLow = zero, totalHigh = zero, excessLow = zero, excessHigh = zero, crossLow = zero, crossHigh = zero;
  for (let left = cols; left > 0; left -= 4, x += 16, b += 16) {
    const own = atMostFour(x, left);
    const base = atMostFour(b, left);
    const powers = exp4(f32x4.sub(base, f32x4.splat(bMost)));
    const low = difference(base, own, shift);
    const high = difference(upper(base), upper(own), shift);
    const back = f32x4.neg(demote(low, high));
    const isNear = f32x4.le(f32x4.abs(back), f32x4.splat(NEAR));
    let excess = f32x4.mul(powers, expLess1(back));
    if (!i32x4.all_true(isNear)) {
      const far = f32x4.sub(exp4(f32x4.sub(own, f32x4.splat(most))), powers);
      excess = v128.bitselect(excess, far, isNear);
    }
    const powersLow = f64x2.promote_low_f32x4(powers);
    const powersHigh = f64x2.promote_low_f32x4(upper(powers));
    totalLow = f64x2.add(totalLow, powersLow);
    totalHigh = f64x2.add(totalHigh, powersHigh);
    excessLow = f64x2.add(excessLow, f64x2.promote_low_f32x4(excess));
    excessHigh = f64x2.add(excessHigh, f64x2.promote_low_f32x4(upper(excess)));
    crossLow = f64x2.add(crossLow, weighted(powersLow, low));
    crossHigh = f64x2.add(crossHigh, weighted(powersHigh, high));
  }
  store<f64>(sums + BASE_TOTAL, sumLanes(totalLow, totalHigh));
  store<f64>(sums + EXCESS, sumLanes(excessLow, excessHigh));
  store<f64>(sums + CROSS, sumLanes(crossLow, crossHigh));
}

/** The next four f32; lanes beyond the `left` that are there are -inf: no probability. */
function atMostFour(x: usize, left: i32): v128 {
  if (left >= 4) return v128.load(x);
  let four = f32x4.splat(-Infinity);
  four = f32x4.replace_lane(four, 0, load<f32>(x));
  if (left > 1) four = f32x4.replace_lane(four, 1, load<f32>(x, 4));
  if (left > 2) four = f32x4.replace_lane(four, 2, load<f32>(x, 8));
  return four;
}

function upper(x: v128): v128 {
  return i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

function demote(low: v128, high: v128): v128 {
  const a = f32x4.demote_f64x2_zero(low);
  return i8x16.shuffle(a, f32x4.demote_f64x2_zero(high), 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** a - b + shift of lanes 0 and 1, in f64. */
function difference(a: v128, b: v128, shift: v128): v128 {
  return f64x2.add(f64x2.sub(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b)), shift);
}

/** power * d; 0 where power is 0, whatever d. */
function weighted(power: v128, d: v128): v128 {
  return v128.andnot(f64x2.mul(power, d), f64x2.eq(power, f64x2.splat(0)));
}

/**
 * out[s] = nll, base nll, divergence of the base's distribution from ours (nats), 1 if both have their largest logit
 * at the same id, probability of the target, base probability; logits and base [rows, cols]. 24 bytes of scratch.
 */
export function divergence(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  logits: usize, stride: i32, base: usize, baseStride: i32, targets: usize, targetStride: i32,
  out: usize, outStride: i32, rows: i32, cols: i32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const x = rowAt(logits, row, stride);
    const b = rowAt(base, row, baseStride);
    const target = targetAt(targets, targetStride, row, cols);
    const most = largest(x, cols);
    const bMost = largest(b, cols);
    compare(x, most, b, bMost, cols, scratch);
    const bTotal = load<f64>(scratch + BASE_TOTAL);
    const logRatio = Math.log1p(load<f64>(scratch + EXCESS) / bTotal);
    const bNll = Math.log(bTotal) - (<f64>load<f32>(b + target) - <f64>bMost);
    const nll = Math.log(bTotal) + logRatio - (<f64>load<f32>(x + target) - <f64>most);
    const result = rowAt(out, row, outStride);
    store<f32>(result, <f32>nll);
    store<f32>(result, <f32>bNll, 4);
    store<f32>(result, <f32>(load<f64>(scratch + CROSS) / bTotal + logRatio), 8);
    store<f32>(result, firstAt(x, cols, most) == firstAt(b, cols, bMost) ? 1 : 0, 12);
    store<f32>(result, <f32>Math.exp(-nll), 16);
    store<f32>(result, <f32>Math.exp(-bNll), 20);
  }
}
