/** Root-mean-square norm of rows. */
import { claim, rowAt } from './work.as';

/** Sum of squares of `cols` f32, in f64. */
function squareSum(x: usize, cols: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const end = x + (<usize>cols << 2);
  for (; x + 16 <= end; x += 16) {
    const four = v128.load(x);
    const a = f64x2.promote_low_f32x4(four);
    const b = f64x2.promote_low_f32x4(i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; x < end; x += 4) {
    const one = <f64>load<f32>(x);
    sum += one * one;
  }
  return sum;
}

/** out = x / sqrt(mean(x^2) + epsilon) * weight; x and out [rows, cols], weight f32 [cols]. */
export function rms_norm(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, xStride: i32, weight: usize, out: usize, outStride: i32, rows: i32, cols: i32, epsilon: f32,
): void {
  for (let row = claim(counter); row < rows; row = claim(counter)) {
    const source = rowAt(x, row, xStride);
    const target = rowAt(out, row, outStride);
    const scale = <f32>(1 / Math.sqrt(squareSum(source, cols) / <f64>cols + <f64>epsilon));
    const factor = f32x4.splat(scale);
    const end = <usize>cols << 2;
    let at: usize = 0;
    for (; at + 16 <= end; at += 16) {
      v128.store(target + at, f32x4.mul(f32x4.mul(v128.load(source + at), factor), v128.load(weight + at)));
    }
    for (; at < end; at += 4) store<f32>(target + at, load<f32>(source + at) * scale * load<f32>(weight + at));
  }
}
