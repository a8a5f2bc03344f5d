/**
 * Tiles of the product for groups of 256: four weight rows by a pair of tokens, or by one.
 *
 * `i32x4.dot_i16x8_s` multiplies 8 codes; eight accumulators stay in registers over a group, then one float step: y
 * += d s (codes . codes) - dmin s (mins . sums). Both integers are exact, so a token alone, a token in a pair and
 * any number of threads give the same bits.
 *
 * The inner loops are what V8 does best with: two pointers and constant offsets. Unrolled by hand or with a pointer
 * a row they lose a third, as V8 moves all loads of a body to its front and runs out of registers.
 */
import {
  CODE_STRIDE, MINS_AT, MIN_STRIDE, QUADS_AT, QUAD_BYTES, WIDE_RECORD, WIDE_SCALE, WIDE_SUMS,
} from './layout.as';
import { laneSums, loadOutputs, storeOutputs } from './sums.as';

/** y0[0..count] and y1[0..count] (+)= panel rows `row` .. `row + 4` times the pair of records at a. */
export function tileWide2(
  panel: usize, row: usize, groups: i32, mins: bool, a: usize, y0: usize, y1: usize, first: bool, count: i32,
): void {
  let w = panel + row * CODE_STRIDE;
  let pairs = panel + QUADS_AT;
  let min = panel + MINS_AT + row * MIN_STRIDE;
  let sum0 = loadOutputs(y0, count, first);
  let sum1 = loadOutputs(y1, count, first);
  for (; groups > 0; groups--, a += 2 * WIDE_RECORD, pairs += QUAD_BYTES, min += 32) {
    let p0 = i32x4.splat(0), q0 = p0, r0 = p0, s0 = p0, p1 = p0, q1 = p0, r1 = p0, s1 = p0;
    for (let b = a, end = a + WIDE_SUMS; b < end; b += 16, w += 16) {
      const x0 = v128.load(b), x1 = v128.load(b, WIDE_RECORD);
      let c = v128.load(w);
      p0 = i32x4.add(p0, i32x4.dot_i16x8_s(c, x0)); p1 = i32x4.add(p1, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w, CODE_STRIDE);
      q0 = i32x4.add(q0, i32x4.dot_i16x8_s(c, x0)); q1 = i32x4.add(q1, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w, 2 * CODE_STRIDE);
      r0 = i32x4.add(r0, i32x4.dot_i16x8_s(c, x0)); r1 = i32x4.add(r1, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w, 3 * CODE_STRIDE);
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(c, x0)); s1 = i32x4.add(s1, i32x4.dot_i16x8_s(c, x1));
    }
    const d = v128.load(pairs);
    const scale0 = v128.load32_splat(a, WIDE_SCALE), scale1 = v128.load32_splat(a, WIDE_RECORD + WIDE_SCALE);
    let step0 = f32x4.mul(f32x4.mul(d, scale0), f32x4.convert_i32x4_s(laneSums(p0, q0, r0, s0)));
    let step1 = f32x4.mul(f32x4.mul(d, scale1), f32x4.convert_i32x4_s(laneSums(p1, q1, r1, s1)));
    if (mins) {
      const dmin = v128.load(pairs, 16);
      step0 = f32x4.sub(step0, f32x4.mul(f32x4.mul(dmin, scale0), minSums(min, a + WIDE_SUMS)));
      step1 = f32x4.sub(step1, f32x4.mul(f32x4.mul(dmin, scale1), minSums(min, a + WIDE_RECORD + WIDE_SUMS)));
    }
    sum0 = f32x4.add(sum0, step0);
    sum1 = f32x4.add(sum1, step1);
  }
  storeOutputs(y0, sum0, count);
  storeOutputs(y1, sum1, count);
}

/** y[0..count] (+)= panel rows `row` .. `row + 4` times the first of the pair of records at a. */
export function tileWide1(
  panel: usize, row: usize, groups: i32, mins: bool, a: usize, y: usize, first: bool, count: i32,
): void {
  let w = panel + row * CODE_STRIDE;
  let pairs = panel + QUADS_AT;
  let min = panel + MINS_AT + row * MIN_STRIDE;
  let sum = loadOutputs(y, count, first);
  for (; groups > 0; groups--, a += 2 * WIDE_RECORD, pairs += QUAD_BYTES, min += 32) {
    let p = i32x4.splat(0), q = p, r = p, s = p;
    for (let b = a, end = a + WIDE_SUMS; b < end; b += 16, w += 16) {
      const x = v128.load(b);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w, CODE_STRIDE), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w, 2 * CODE_STRIDE), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w, 3 * CODE_STRIDE), x));
    }
    const scale = v128.load32_splat(a, WIDE_SCALE);
    const dot = f32x4.convert_i32x4_s(laneSums(p, q, r, s));
    let step = f32x4.mul(f32x4.mul(v128.load(pairs), scale), dot);
    if (mins) {
      const dmin = v128.load(pairs, 16);
      step = f32x4.sub(step, f32x4.mul(f32x4.mul(dmin, scale), minSums(min, a + WIDE_SUMS)));
    }
    sum = f32x4.add(sum, step);
  }
  storeOutputs(y, sum, count);
}

/** mins . sums of four rows over a group, exact, as f32. */
function minSums(min: usize, sums: usize): v128 {
  const low = v128.load(sums), high = v128.load(sums, 16);
  return f32x4.convert_i32x4_s(
    laneSums(
      minDot(min, low, high), minDot(min + MIN_STRIDE, low, high),
      minDot(min + 2 * MIN_STRIDE, low, high), minDot(min + 3 * MIN_STRIDE, low, high),
    ),
  );
}

function minDot(min: usize, low: v128, high: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.load(min), low), i32x4.dot_i16x8_s(v128.load(min, 16), high));
}
