/**
 * Tiles of the product for groups of 256: four weight rows by two tokens, or by one.
 *
 * `i32x4.dot_i16x8_s` multiplies 8 codes; eight accumulators stay in registers over a group, then one float step:
 * y += d s (codes . codes) - dmin s (mins . sums). Both integers are exact, so a token alone, a token in a pair and
 * any number of threads give the same bits.
 */
import { CODE_STRIDE, MIN_STRIDE, MINS_AT, PAIR_STRIDE, PAIRS_AT } from './panel.as';
import { WIDE_RECORD, WIDE_SCALE, WIDE_SUMS } from './records.as';
import { gatherF32, laneSums, loadOutputs, storeOutputs } from './sums.as';

/** y0[0..count] and y1[0..count] (+)= panel rows `row` .. `row + 4` times the records at a0 and a1. */
export function tileWide2(
  panel: usize, row: usize, groups: i32, mins: bool, a0: usize, a1: usize, y0: usize, y1: usize, first: bool, count: i32,
): void {
  let w0 = panel + row * CODE_STRIDE;
  let pairs = panel + PAIRS_AT + row * PAIR_STRIDE;
  let min = panel + MINS_AT + row * MIN_STRIDE;
  let sum0 = loadOutputs(y0, count, first);
  let sum1 = loadOutputs(y1, count, first);
  for (let g = 0; g < groups; g++) {
    let p = i32x4.splat(0), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    let w1 = w0 + CODE_STRIDE, w2 = w1 + CODE_STRIDE, w3 = w2 + CODE_STRIDE;
    let b0 = a0, b1 = a1;
    for (const end = a0 + 512; b0 < end; ) {
      let x0 = v128.load(b0), x1 = v128.load(b1);
      let c = v128.load(w0);
      p = i32x4.add(p, i32x4.dot_i16x8_s(c, x0)); t = i32x4.add(t, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w1);
      q = i32x4.add(q, i32x4.dot_i16x8_s(c, x0)); u = i32x4.add(u, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w2);
      r = i32x4.add(r, i32x4.dot_i16x8_s(c, x0)); v = i32x4.add(v, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w3);
      s = i32x4.add(s, i32x4.dot_i16x8_s(c, x0)); w = i32x4.add(w, i32x4.dot_i16x8_s(c, x1));
      x0 = v128.load(b0, 16); x1 = v128.load(b1, 16);
      c = v128.load(w0, 16);
      p = i32x4.add(p, i32x4.dot_i16x8_s(c, x0)); t = i32x4.add(t, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w1, 16);
      q = i32x4.add(q, i32x4.dot_i16x8_s(c, x0)); u = i32x4.add(u, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w2, 16);
      r = i32x4.add(r, i32x4.dot_i16x8_s(c, x0)); v = i32x4.add(v, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w3, 16);
      s = i32x4.add(s, i32x4.dot_i16x8_s(c, x0)); w = i32x4.add(w, i32x4.dot_i16x8_s(c, x1));
      b0 += 32; b1 += 32; w0 += 32; w1 += 32; w2 += 32; w3 += 32;
    }
    const d = gatherF32(pairs, PAIR_STRIDE);
    const s0 = v128.load32_splat(a0, WIDE_SCALE), s1 = v128.load32_splat(a1, WIDE_SCALE);
    let step0 = f32x4.mul(f32x4.mul(d, s0), f32x4.convert_i32x4_s(laneSums(p, q, r, s)));
    let step1 = f32x4.mul(f32x4.mul(d, s1), f32x4.convert_i32x4_s(laneSums(t, u, v, w)));
    if (mins) {
      const dmin = gatherF32(pairs + 4, PAIR_STRIDE);
      step0 = f32x4.sub(step0, f32x4.mul(f32x4.mul(dmin, s0), minSums(min, a0 + WIDE_SUMS)));
      step1 = f32x4.sub(step1, f32x4.mul(f32x4.mul(dmin, s1), minSums(min, a1 + WIDE_SUMS)));
      min += 32;
    }
    sum0 = f32x4.add(sum0, step0);
    sum1 = f32x4.add(sum1, step1);
    a0 += WIDE_RECORD; a1 += WIDE_RECORD; pairs += 8;
  }
  storeOutputs(y0, sum0, count);
  storeOutputs(y1, sum1, count);
}

/** y[0..count] (+)= panel rows `row` .. `row + 4` times the records at a. */
export function tileWide1(
  panel: usize, row: usize, groups: i32, mins: bool, a: usize, y: usize, first: bool, count: i32,
): void {
  let w0 = panel + row * CODE_STRIDE;
  let pairs = panel + PAIRS_AT + row * PAIR_STRIDE;
  let min = panel + MINS_AT + row * MIN_STRIDE;
  let sum = loadOutputs(y, count, first);
  for (let g = 0; g < groups; g++) {
    let p = i32x4.splat(0), q = p, r = p, s = p;
    let w1 = w0 + CODE_STRIDE, w2 = w1 + CODE_STRIDE, w3 = w2 + CODE_STRIDE;
    let b = a;
    for (const end = a + 512; b < end; ) {
      let x = v128.load(b);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w0), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w1), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w2), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w3), x));
      x = v128.load(b, 16);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w0, 16), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w1, 16), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w2, 16), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w3, 16), x));
      b += 32; w0 += 32; w1 += 32; w2 += 32; w3 += 32;
    }
    const scale = v128.load32_splat(a, WIDE_SCALE);
    const dot = f32x4.convert_i32x4_s(laneSums(p, q, r, s));
    let step = f32x4.mul(f32x4.mul(gatherF32(pairs, PAIR_STRIDE), scale), dot);
    if (mins) {
      const dmin = gatherF32(pairs + 4, PAIR_STRIDE);
      step = f32x4.sub(step, f32x4.mul(f32x4.mul(dmin, scale), minSums(min, a + WIDE_SUMS)));
      min += 32;
    }
    sum = f32x4.add(sum, step);
    a += WIDE_RECORD; pairs += 8;
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
