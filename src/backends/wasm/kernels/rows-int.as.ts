/**
 * One expanded weight row by one token, continuing the sum `y`. The float steps are those of the tiles, so are
 * the bits.
 */
import { NARROW_RECORD, NARROW_SCALE, NARROW_SUM, WIDE_RECORD, WIDE_SCALE, WIDE_SUMS } from './layout.as';
import { laneSum } from './sums.as';

/** y + a row of groups of 256 times the first of a pair of records. @param min 0: the format has no mins. */
export function rowWide1(w: usize, pairs: usize, min: usize, groups: i32, a: usize, y: f32): f32 {
  for (; groups > 0; groups--, a += 2 * WIDE_RECORD, pairs += 8) {
    let p = i32x4.splat(0), q = p;
    for (let b = a, end = a + WIDE_SUMS; b < end; b += 32, w += 32) {
      p = i32x4.add(p, i32x4.dot_i16x8_s(v128.load(w), v128.load(b)));
      q = i32x4.add(q, i32x4.dot_i16x8_s(v128.load(w, 16), v128.load(b, 16)));
    }
    const scale = load<f32>(a, WIDE_SCALE);
    let step = load<f32>(pairs) * scale * <f32>laneSum(i32x4.add(p, q));
    if (min) {
      step -= load<f32>(pairs, 4) * scale * <f32>minSum(min, a + WIDE_SUMS);
      min += 32;
    }
    y += step;
  }
  return y;
}

/** The same for groups of `group` weights. */
export function rowNarrow1(w: usize, pairs: usize, mins: bool, groups: i32, group: usize, a: usize, y: f32): f32 {
  for (; groups > 0; groups--, a += 2 * NARROW_RECORD, pairs += 8) {
    let p = i32x4.splat(0);
    for (let b = a, end = a + (group << 1); b < end; b += 32, w += 32) {
      const low = i32x4.dot_i16x8_s(v128.load(w), v128.load(b));
      p = i32x4.add(p, i32x4.add(low, i32x4.dot_i16x8_s(v128.load(w, 16), v128.load(b, 16))));
    }
    let step = load<f32>(pairs) * load<f32>(a, NARROW_SCALE) * <f32>laneSum(p);
    if (mins) step -= load<f32>(pairs, 4) * load<f32>(a, NARROW_SUM);
    y += step;
  }
  return y;
}

function minSum(min: usize, sums: usize): i32 {
  const low = i32x4.dot_i16x8_s(v128.load(min), v128.load(sums));
  return laneSum(i32x4.add(low, i32x4.dot_i16x8_s(v128.load(min, 16), v128.load(sums, 16))));
}
