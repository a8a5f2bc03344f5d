/**
 * How well rows of logits predict: losses and divergences. e^x is f32, sums are f64. A row with a NaN, with +inf or with
 * nothing but -inf has no probabilities; its figures are NaN.
 */
import { exp4 } from './exp.as';
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
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
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

/**
 * Sum of e^(b - bMost) ((b - bMost) - (x - most)): what the divergence is made of. Where the base gives no
 * probability, a logit of -inf adds nothing.
 */
function crossSum(x: usize, most: f32, b: usize, bMost: f32, cols: i32): f64 {
  const end = x + (<usize>cols << 2);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const shift = f64x2.splat(<f64>most - <f64>bMost);
  const bOffset = f32x4.splat(bMost);
  for (; x + 16 <= end; x += 16, b += 16) {
    const own = v128.load(x);
    const base = v128.load(b);
    const powers = exp4(f32x4.sub(base, bOffset));
    low = f64x2.add(low, crossTerm(own, base, powers, shift));
    high = f64x2.add(high, crossTerm(upper(own), upper(base), upper(powers), shift));
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; x < end; x += 4, b += 4) {
    const base = v128.load32_splat(b);
    const powers = exp4(f32x4.sub(base, bOffset));
    sum += f64x2.extract_lane(crossTerm(v128.load32_splat(x), base, powers, shift), 0);
  }
  return sum;
}

function upper(x: v128): v128 {
  return i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

/** power * (base - own + shift) of lanes 0 and 1 in f64; 0 where power is 0. */
function crossTerm(own: v128, base: v128, powers: v128, shift: v128): v128 {
  const power = f64x2.promote_low_f32x4(powers);
  const difference = f64x2.sub(f64x2.promote_low_f32x4(base), f64x2.promote_low_f32x4(own));
  const term = f64x2.mul(power, f64x2.add(difference, shift));
  return v128.andnot(term, f64x2.eq(power, f64x2.splat(0)));
}

/**
 * out[s] = nll, base nll, divergence of the base's distribution from ours (nats), 1 if both have their largest logit
 * at the same id, probability of the target, base probability; logits and base [rows, cols].
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
    const bTotal = total(b, cols, bMost);
    const logTotal = Math.log(total(x, cols, most));
    const bLogTotal = Math.log(bTotal);
    const nll = logTotal - (<f64>load<f32>(x + target) - <f64>most);
    const bNll = bLogTotal - (<f64>load<f32>(b + target) - <f64>bMost);
    const result = rowAt(out, row, outStride);
    store<f32>(result, <f32>nll);
    store<f32>(result, <f32>bNll, 4);
    store<f32>(result, <f32>(crossSum(x, most, b, bMost, cols) / bTotal + logTotal - bLogTotal), 8);
    store<f32>(result, firstAt(x, cols, most) == firstAt(b, cols, bMost) ? 1 : 0, 12);
    store<f32>(result, <f32>Math.exp(-nll), 16);
    store<f32>(result, <f32>Math.exp(-bNll), 20);
  }
}
