/**
 * One expanded weight row by one token, continuing the sum `y`. The float steps are those of the tiles, so are
 * the bits.
 */
import { NARROW_RECORD, NARROW_SCALE, NARROW_SUM, WIDE_RECORD, WIDE_SCALE, WIDE_SUMS } from './layout.as';
import { addInOrder, gatherF32, laneSum, laneSums } from './sums.as';

/** Bytes from a narrow group's record to the next one's: records of two tokens alternate. */
const STEP: usize = 2 * NARROW_RECORD;

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

/** The same for groups of 32 or 16 weights. */
export function rowNarrow1(w: usize, pairs: usize, mins: bool, groups: i32, group: usize, a: usize, y: f32): f32 {
  // Four groups share the float step, whose results are added group by group.
  for (; groups >= 4; groups -= 4, w += group << 3, pairs += 32, a += 4 * STEP) {
    const dots = laneSums(
      groupDot(w, group, a), groupDot(w + 2 * group, group, a + STEP),
      groupDot(w + 4 * group, group, a + 2 * STEP), groupDot(w + 6 * group, group, a + 3 * STEP),
    );
    const low = v128.load(pairs), high = v128.load(pairs, 16);
    const scales = f32x4.mul(v128.shuffle<i32>(low, high, 0, 2, 4, 6), gatherF32(a + NARROW_SCALE, STEP));
    let steps = f32x4.mul(scales, f32x4.convert_i32x4_s(dots));
    if (mins) {
      const dmin = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
      steps = f32x4.sub(steps, f32x4.mul(dmin, gatherF32(a + NARROW_SUM, STEP)));
    }
    y = addInOrder(y, steps);
  }
  for (; groups > 0; groups--, w += group << 1, pairs += 8, a += STEP) {
    let step = load<f32>(pairs) * load<f32>(a, NARROW_SCALE) * <f32>laneSum(groupDot(w, group, a));
    if (mins) step -= load<f32>(pairs, 4) * load<f32>(a, NARROW_SUM);
    y += step;
  }
  return y;
}

/** Products of the codes of a narrow group. */
function groupDot(w: usize, group: usize, a: usize): v128 {
  const low = i32x4.add(
    i32x4.dot_i16x8_s(v128.load(w), v128.load(a)),
    i32x4.dot_i16x8_s(v128.load(w, 16), v128.load(a, 16)),
  );
  if (group == 16) return low;
  const high = i32x4.add(
    i32x4.dot_i16x8_s(v128.load(w, 32), v128.load(a, 32)),
    i32x4.dot_i16x8_s(v128.load(w, 48), v128.load(a, 48)),
  );
  return i32x4.add(low, high);
}

function minSum(min: usize, sums: usize): i32 {
  const low = i32x4.dot_i16x8_s(v128.load(min), v128.load(sums));
  return laneSum(i32x4.add(low, i32x4.dot_i16x8_s(v128.load(min, 16), v128.load(sums, 16))));
}
