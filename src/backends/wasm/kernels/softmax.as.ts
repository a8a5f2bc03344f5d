/** Softmax over rows of scores in scratch. A row is a multiple of 32 numbers; what is masked becomes weight 0. */
import { exp4 } from './exp.as';

/** Scores outside `low .. high` of a row of `n` to -infinity. */
export function mask(scores: usize, n: i32, low: i32, high: i32): void {
  for (let i = 0, end = min(low, n); i < end; i++) store<f32>(scores + (<usize>i << 2), -Infinity);
  for (let i = max(high, 0); i < n; i++) store<f32>(scores + (<usize>i << 2), -Infinity);
}

/** The largest of `n` scores; NaN if one is. */
export function largest(scores: usize, n: i32): f32 {
  let top = v128.load(scores);
  for (let at = scores + 16, end = scores + (<usize>n << 2); at < end; at += 16) top = f32x4.max(top, v128.load(at));
  const pair = f32x4.max(top, i64x2.shuffle(top, top, 1, 0));
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** Scores to e^(score - top), and their sum. */
export function exponentials(scores: usize, n: i32, top: f32): f32 {
  const subtracted = f32x4.splat(top);
  let sum = f32x4.splat(0);
  for (let at = scores, end = scores + (<usize>n << 2); at < end; at += 16) {
    const weight = exp4(f32x4.sub(v128.load(at), subtracted));
    v128.store(at, weight);
    sum = f32x4.add(sum, weight);
  }
  const pair = f32x4.add(sum, i64x2.shuffle(sum, sum, 1, 0));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

export function scaleRow(row: usize, n: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let at = row, end = row + (<usize>n << 2); at < end; at += 16) {
    v128.store(at, f32x4.mul(v128.load(at), factors));
  }
}
