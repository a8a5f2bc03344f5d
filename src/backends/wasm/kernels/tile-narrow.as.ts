/**
 * Tiles of the product for groups of 32 and 16: four weight rows by two tokens, or by one. One float step a group:
 * y += d s (codes . codes) - dmin (s sum). The integers are exact, as in tile-wide.as.ts.
 */
import { CODE_STRIDE, PAIR_STRIDE, PAIRS_AT } from './panel.as';
import { gatherF32, laneSums, loadOutputs, storeOutputs } from './sums.as';

/** y0[0..count] and y1[0..count] (+)= panel rows `row` .. `row + 4` times the records at a0 and a1. */
export function tileNarrow2(
  panel: usize, row: usize, groups: i32, group: usize, mins: bool,
  a0: usize, a1: usize, y0: usize, y1: usize, first: bool, count: i32,
): void {
  let w0 = panel + row * CODE_STRIDE;
  let pairs = panel + PAIRS_AT + row * PAIR_STRIDE;
  let sum0 = loadOutputs(y0, count, first);
  let sum1 = loadOutputs(y1, count, first);
  for (let g = 0; g < groups; g++) {
    let p = i32x4.splat(0), q = p, r = p, s = p, t = p, u = p, v = p, w = p;
    let w1 = w0 + CODE_STRIDE, w2 = w1 + CODE_STRIDE, w3 = w2 + CODE_STRIDE;
    for (const end = a0 + (group << 1); a0 < end; ) {
      let x0 = v128.load(a0), x1 = v128.load(a1);
      let c = v128.load(w0);
      p = i32x4.add(p, i32x4.dot_i16x8_s(c, x0)); t = i32x4.add(t, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w1);
      q = i32x4.add(q, i32x4.dot_i16x8_s(c, x0)); u = i32x4.add(u, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w2);
      r = i32x4.add(r, i32x4.dot_i16x8_s(c, x0)); v = i32x4.add(v, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w3);
      s = i32x4.add(s, i32x4.dot_i16x8_s(c, x0)); w = i32x4.add(w, i32x4.dot_i16x8_s(c, x1));
      x0 = v128.load(a0, 16); x1 = v128.load(a1, 16);
      c = v128.load(w0, 16);
      p = i32x4.add(p, i32x4.dot_i16x8_s(c, x0)); t = i32x4.add(t, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w1, 16);
      q = i32x4.add(q, i32x4.dot_i16x8_s(c, x0)); u = i32x4.add(u, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w2, 16);
      r = i32x4.add(r, i32x4.dot_i16x8_s(c, x0)); v = i32x4.add(v, i32x4.dot_i16x8_s(c, x1));
      c = v128.load(w3, 16);
      s = i32x4.add(s, i32x4.dot_i16x8_s(c, x0)); w = i32x4.add(w, i32x4.dot_i16x8_s(c, x1));
      a0 += 32; a1 += 32; w0 += 32; w1 += 32; w2 += 32; w3 += 32;
    }
    const d = gatherF32(pairs, PAIR_STRIDE);
    const dot0 = f32x4.convert_i32x4_s(laneSums(p, q, r, s));
    const dot1 = f32x4.convert_i32x4_s(laneSums(t, u, v, w));
    let step0 = f32x4.mul(f32x4.mul(d, v128.load32_splat(a0)), dot0);
    let step1 = f32x4.mul(f32x4.mul(d, v128.load32_splat(a1)), dot1);
    if (mins) {
      const dmin = gatherF32(pairs + 4, PAIR_STRIDE);
      step0 = f32x4.sub(step0, f32x4.mul(dmin, v128.load32_splat(a0, 4)));
      step1 = f32x4.sub(step1, f32x4.mul(dmin, v128.load32_splat(a1, 4)));
    }
    sum0 = f32x4.add(sum0, step0);
    sum1 = f32x4.add(sum1, step1);
    a0 += 16; a1 += 16; pairs += 8;
  }
  storeOutputs(y0, sum0, count);
  storeOutputs(y1, sum1, count);
}

/** y[0..count] (+)= panel rows `row` .. `row + 4` times the records at a. */
export function tileNarrow1(
  panel: usize, row: usize, groups: i32, group: usize, mins: bool, a: usize, y: usize, first: bool, count: i32,
): void {
  let w0 = panel + row * CODE_STRIDE;
  let pairs = panel + PAIRS_AT + row * PAIR_STRIDE;
  let sum = loadOutputs(y, count, first);
  for (let g = 0; g < groups; g++) {
    let p = i32x4.splat(0), q = p, r = p, s = p;
    let w1 = w0 + CODE_STRIDE, w2 = w1 + CODE_STRIDE, w3 = w2 + CODE_STRIDE;
    for (const end = a + (group << 1); a < end; ) {
      let x = v128.load(a);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w0), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w1), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w2), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w3), x));
      x = v128.load(a, 16);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w0, 16), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w1, 16), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w2, 16), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w3, 16), x));
      a += 32; w0 += 32; w1 += 32; w2 += 32; w3 += 32;
    }
    const dot = f32x4.convert_i32x4_s(laneSums(p, q, r, s));
    let step = f32x4.mul(f32x4.mul(gatherF32(pairs, PAIR_STRIDE), v128.load32_splat(a)), dot);
    if (mins) step = f32x4.sub(step, f32x4.mul(gatherF32(pairs + 4, PAIR_STRIDE), v128.load32_splat(a, 4)));
    sum = f32x4.add(sum, step);
    a += 16; pairs += 8;
  }
  storeOutputs(y, sum, count);
}
