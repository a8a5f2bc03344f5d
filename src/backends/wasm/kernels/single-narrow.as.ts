/**
 * Rows of the formats in blocks of 32 by one token: each block multiplied as it is unpacked. Four blocks at a time
 * share the float step, whose results are added block by block: the bits are those of rows-int.as.ts.
 */
import { f16ToF32 } from '../../../kernels/half.as';
import { clear } from '../../../quants/expand/fifth-bits.as';
import { NARROW_RECORD, NARROW_SCALE, NARROW_SUM } from './layout.as';
import { dotSigned, dotUnsigned } from './single.as';
import { addInOrder, gatherF32, laneSum, laneSums } from './sums.as';
import { f16x4 } from './widen.as';

/** Bytes from a group's record to the next one's: records of two tokens alternate. */
const STEP: usize = 2 * NARROW_RECORD;

/** The float step of a block without offset: d s (codes . codes). */
function step(record: usize, d: usize, dot: v128): f32 {
  return f16ToF32(load<u16>(d)) * load<f32>(record, NARROW_SCALE) * <f32>laneSum(dot);
}

/** The same with an offset m, which follows d: + m s sum. */
function offsetStep(record: usize, d: usize, dot: v128): f32 {
  return step(record, d, dot) + f16ToF32(load<u16>(d, 2)) * load<f32>(record, NARROW_SUM);
}

/** Four f16, `bytes` apart, as f32. */
function halves(at: usize, bytes: usize): v128 {
  const low = v128.load16_lane(at + bytes, v128.load16_splat(at), 1);
  const all = v128.load16_lane(at + 3 * bytes, v128.load16_lane(at + 2 * bytes, low, 2), 3);
  return f16x4(i32x4.extend_low_i16x8_s(all));
}

/** `step` of four blocks, `bytes` apart. */
function steps(record: usize, d: usize, bytes: usize, dots: v128): v128 {
  const scales = f32x4.mul(halves(d, bytes), gatherF32(record + NARROW_SCALE, STEP));
  return f32x4.mul(scales, f32x4.convert_i32x4_s(dots));
}

/** `offsetStep` of four blocks. */
function offsetSteps(record: usize, d: usize, bytes: usize, dots: v128): v128 {
  const offsets = f32x4.mul(halves(d + 2, bytes), gatherF32(record + NARROW_SUM, STEP));
  return f32x4.add(steps(record, d, bytes, dots), offsets);
}

function q8_0_dot(src: usize, record: usize): v128 {
  const low = i32x4.add(
    i32x4.dot_i16x8_s(v128.load8x8_s(src, 2), v128.load(record)),
    i32x4.dot_i16x8_s(v128.load8x8_s(src, 10), v128.load(record, 16)),
  );
  const high = i32x4.add(
    i32x4.dot_i16x8_s(v128.load8x8_s(src, 18), v128.load(record, 32)),
    i32x4.dot_i16x8_s(v128.load8x8_s(src, 26), v128.load(record, 48)),
  );
  return i32x4.add(low, high);
}

export function q8_0_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 34, record += 4 * STEP) {
    const dots = laneSums(
      q8_0_dot(src, record), q8_0_dot(src + 34, record + STEP),
      q8_0_dot(src + 68, record + 2 * STEP), q8_0_dot(src + 102, record + 3 * STEP),
    );
    y = addInOrder(y, steps(record, src, 34, dots));
  }
  for (; blocks > 0; blocks--, src += 34, record += STEP) y += step(record, src, q8_0_dot(src, record));
  return y;
}

function q4_0_dot(src: usize, record: usize): v128 {
  const nibble = i8x16.splat(15), eight = i8x16.splat(8);
  const q = v128.load(src, 2);
  const low = dotSigned(i8x16.sub(v128.and(q, nibble), eight), record);
  return i32x4.add(low, dotSigned(i8x16.sub(v128.and(i16x8.shr_u(q, 4), nibble), eight), record + 32));
}

export function q4_0_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 18, record += 4 * STEP) {
    const dots = laneSums(
      q4_0_dot(src, record), q4_0_dot(src + 18, record + STEP),
      q4_0_dot(src + 36, record + 2 * STEP), q4_0_dot(src + 54, record + 3 * STEP),
    );
    y = addInOrder(y, steps(record, src, 18, dots));
  }
  for (; blocks > 0; blocks--, src += 18, record += STEP) y += step(record, src, q4_0_dot(src, record));
  return y;
}

function q4_1_dot(src: usize, record: usize): v128 {
  const nibble = i8x16.splat(15);
  const q = v128.load(src, 4);
  return i32x4.add(
    dotUnsigned(v128.and(q, nibble), record),
    dotUnsigned(v128.and(i16x8.shr_u(q, 4), nibble), record + 32),
  );
}

export function q4_1_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 20, record += 4 * STEP) {
    const dots = laneSums(
      q4_1_dot(src, record), q4_1_dot(src + 20, record + STEP),
      q4_1_dot(src + 40, record + 2 * STEP), q4_1_dot(src + 60, record + 3 * STEP),
    );
    y = addInOrder(y, offsetSteps(record, src, 20, dots));
  }
  for (; blocks > 0; blocks--, src += 20, record += STEP) y += offsetStep(record, src, q4_1_dot(src, record));
  return y;
}

function q5_0_dot(src: usize, record: usize): v128 {
  const nibble = i8x16.splat(15), less = i8x16.splat(-16); // as in q5_0_expand
  const q = v128.load(src, 6);
  const high = v128.and(i16x8.shr_u(q, 4), nibble);
  return i32x4.add(
    dotSigned(v128.or(v128.and(q, nibble), v128.and(clear(src + 2), less)), record),
    dotSigned(v128.or(high, v128.and(clear(src + 4), less)), record + 32),
  );
}

export function q5_0_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 22, record += 4 * STEP) {
    const dots = laneSums(
      q5_0_dot(src, record), q5_0_dot(src + 22, record + STEP),
      q5_0_dot(src + 44, record + 2 * STEP), q5_0_dot(src + 66, record + 3 * STEP),
    );
    y = addInOrder(y, steps(record, src, 22, dots));
  }
  for (; blocks > 0; blocks--, src += 22, record += STEP) y += step(record, src, q5_0_dot(src, record));
  return y;
}

function q5_1_dot(src: usize, record: usize): v128 {
  const nibble = i8x16.splat(15), fifth = i8x16.splat(16);
  const q = v128.load(src, 8);
  const high = v128.and(i16x8.shr_u(q, 4), nibble);
  return i32x4.add(
    dotUnsigned(v128.or(v128.and(q, nibble), v128.andnot(fifth, clear(src + 4))), record),
    dotUnsigned(v128.or(high, v128.andnot(fifth, clear(src + 6))), record + 32),
  );
}

export function q5_1_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 24, record += 4 * STEP) {
    const dots = laneSums(
      q5_1_dot(src, record), q5_1_dot(src + 24, record + STEP),
      q5_1_dot(src + 48, record + 2 * STEP), q5_1_dot(src + 72, record + 3 * STEP),
    );
    y = addInOrder(y, offsetSteps(record, src, 24, dots));
  }
  for (; blocks > 0; blocks--, src += 24, record += STEP) y += offsetStep(record, src, q5_1_dot(src, record));
  return y;
}

function iq4_nl_dot(src: usize, record: usize): v128 {
  const nibble = i8x16.splat(15);
  const values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  const q = v128.load(src, 2);
  return i32x4.add(
    dotSigned(i8x16.swizzle(values, v128.and(q, nibble)), record),
    dotSigned(i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)), record + 32),
  );
}

export function iq4_nl_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks >= 4; blocks -= 4, src += 4 * 18, record += 4 * STEP) {
    const dots = laneSums(
      iq4_nl_dot(src, record), iq4_nl_dot(src + 18, record + STEP),
      iq4_nl_dot(src + 36, record + 2 * STEP), iq4_nl_dot(src + 54, record + 3 * STEP),
    );
    y = addInOrder(y, steps(record, src, 18, dots));
  }
  for (; blocks > 0; blocks--, src += 18, record += STEP) y += step(record, src, iq4_nl_dot(src, record));
  return y;
}
