/**
 * Tiles of the product for groups of 32 and 16: four weight rows by a pair of tokens, or by one. One float step a
 * group: y += d s (codes . codes) - dmin (s sum). As in tile-wide.as.ts the integers are exact, the loops made for V8.
 */
import { CODE_STRIDE, NARROW_RECORD, NARROW_SCALE, NARROW_SUM, QUADS_AT, QUAD_BYTES } from './layout.as';
import { laneSums, loadOutputs, storeOutputs } from './sums.as';

/** y0[0..count] and y1[0..count] (+)= panel rows `row` .. `row + 4` times the pair of records at a. */
export function tileNarrow2(
  panel: usize, row: usize, groups: i32, group: usize, mins: bool,
  a: usize, y0: usize, y1: usize, first: bool, count: i32,
): void {
  let w = panel + row * CODE_STRIDE;
  let pairs = panel + QUADS_AT;
  let sum0 = loadOutputs(y0, count, first);
  let sum1 = loadOutputs(y1, count, first);
  for (; groups > 0; groups--, a += 2 * NARROW_RECORD, pairs += QUAD_BYTES) {
    let p0 = i32x4.splat(0), q0 = p0, r0 = p0, s0 = p0, p1 = p0, q1 = p0, r1 = p0, s1 = p0;
    for (let b = a, end = a + (group << 1); b < end; b += 16, w += 16) {
      const x0 = v128.load(b), x1 = v128.load(b, NARROW_RECORD);
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
    const scale0 = v128.load32_splat(a, NARROW_SCALE);
    const scale1 = v128.load32_splat(a, NARROW_RECORD + NARROW_SCALE);
    let step0 = f32x4.mul(f32x4.mul(d, scale0), f32x4.convert_i32x4_s(laneSums(p0, q0, r0, s0)));
    let step1 = f32x4.mul(f32x4.mul(d, scale1), f32x4.convert_i32x4_s(laneSums(p1, q1, r1, s1)));
    if (mins) {
      const dmin = v128.load(pairs, 16);
      step0 = f32x4.sub(step0, f32x4.mul(dmin, v128.load32_splat(a, NARROW_SUM)));
      step1 = f32x4.sub(step1, f32x4.mul(dmin, v128.load32_splat(a, NARROW_RECORD + NARROW_SUM)));
    }
    sum0 = f32x4.add(sum0, step0);
    sum1 = f32x4.add(sum1, step1);
  }
  storeOutputs(y0, sum0, count);
  storeOutputs(y1, sum1, count);
}

/** y[0..count] (+)= panel rows `row` .. `row + 4` times the first of the pair of records at a. */
export function tileNarrow1(
  panel: usize, row: usize, groups: i32, group: usize, mins: bool, a: usize, y: usize, first: bool, count: i32,
): void {
  let w = panel + row * CODE_STRIDE;
  let pairs = panel + QUADS_AT;
  let sum = loadOutputs(y, count, first);
  for (; groups > 0; groups--, a += 2 * NARROW_RECORD, pairs += QUAD_BYTES) {
    let p = i32x4.splat(0), q = p, r = p, s = p;
    for (let b = a, end = a + (group << 1); b < end; b += 16, w += 16) {
      const x = v128.load(b);
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w), x));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w, CODE_STRIDE), x));
      r = i32x4.add(r, i32x4.dot_i16x8_s(v128.load(w, 2 * CODE_STRIDE), x));
      s = i32x4.add(s, i32x4.dot_i16x8_s(v128.load(w, 3 * CODE_STRIDE), x));
    }
    const scale = v128.load32_splat(a, NARROW_SCALE);
    const dot = f32x4.convert_i32x4_s(laneSums(p, q, r, s));
    let step = f32x4.mul(f32x4.mul(v128.load(pairs), scale), dot);
    if (mins) {
      const dmin = v128.load(pairs, 16);
      step = f32x4.sub(step, f32x4.mul(dmin, v128.load32_splat(a, NARROW_SUM)));
    }
    sum = f32x4.add(sum, step);
  }
  storeOutputs(y, sum, count);
}
