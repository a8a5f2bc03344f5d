/**
 * Activations as integers, for products with quantized weights.
 *
 * Each group of 256, 32 or 16 columns becomes i16 codes of amplitude 2^19 / group - 1 times one f32 scale: the largest
 * amplitude at which a group's dot product with |weight code| <= 4096 still fits an i32. So a code holds 12, 15 or 16
 * bits, and the products of a group are summed exactly.
 *
 * A group's record: the codes; then for groups of 256 the i16 sums of every 16 codes (they multiply the mins) and the
 * scale; for smaller groups the scale and scale * sum of the codes.
 */
import { NARROW_SCALE, NARROW_SUM, WIDE, WIDE_SCALE, WIDE_SUMS } from './layout.as';
import { recordAt, recordBytes } from './records.as';
import { codes8, largestMagnitude, TINY } from './rounding.as';

/** Columns that a thread takes at a time: a multiple of every group. */
const SPAN: i32 = 1024;

/**
 * f32 rows at `x`, `xStride` bytes apart, to pairs of records at `out`.
 * @param cols a multiple of `group`.
 */
export function quantize_activations(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, xStride: usize, rows: i32, cols: i32, group: i32, out: usize,
): void {
  const spans = (cols + SPAN - 1) / SPAN;
  for (let task = thread; task < rows * spans; task += threads) {
    const row = task / spans;
    const first = (task % spans) * SPAN;
    const groups = (min(cols, first + SPAN) - first) / group;
    let from = x + <usize>row * xStride + (<usize>first << 2);
    let to = recordAt(out, row, cols / group, group) + <usize>(first / group) * 2 * recordBytes(group);
    for (let g = 0; g < groups; g++) {
      quantizeGroup(from, group, to);
      from += <usize>group << 2;
      to += 2 * recordBytes(group);
    }
  }
}

function quantizeGroup(from: usize, group: i32, to: usize): void {
  const amplitude = <f32>((1 << 19) / group - 1);
  const largest = largestMagnitude(from, group); // NaN if there is one, so that it reaches the products
  const scale: f32 = largest < TINY ? 0 : largest / amplitude;
  const inverse = f32x4.splat(largest < TINY ? <f32>0 : amplitude / largest);
  const sums = to + WIDE_SUMS;
  let total = 0;
  for (let i: usize = 0; i < <usize>group; i += 16) {
    const low = codes8(from + (i << 2), inverse);
    const high = codes8(from + (i << 2) + 32, inverse);
    v128.store(to + (i << 1), low);
    v128.store(to + (i << 1), high, 16);
    const sum = sum16(low, high);
    if (group == WIDE) store<i16>(sums + (i >> 3), <i16>sum);
    total += sum;
  }
  if (group == WIDE) {
    store<f32>(to, scale, WIDE_SCALE);
  } else {
    store<f32>(to, scale, NARROW_SCALE);
    store<f32>(to, scale * <f32>total, NARROW_SUM);
  }
}

function sum16(low: v128, high: v128): i32 {
  const quads = i32x4.add(i32x4.extadd_pairwise_i16x8_s(low), i32x4.extadd_pairwise_i16x8_s(high));
  const pairs = i32x4.add(quads, v128.shuffle<i32>(quads, quads, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}
