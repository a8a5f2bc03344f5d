/** Rows of the formats in blocks of 32 by one token: each block multiplied as it is unpacked. */
import { f16ToF32 } from '../../../kernels/half.as';
import { clear } from '../../../quants/expand/fifth-bits.as';
import { NARROW_RECORD, NARROW_SCALE, NARROW_SUM } from './records.as';
import { dotSigned, dotUnsigned, laneSum } from './single.as';

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

export function q8_0_row(src: usize, blocks: i32, record: usize): f32 {
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 34, record += STEP) {
    const low = i32x4.add(
      i32x4.dot_i16x8_s(v128.load8x8_s(src, 2), v128.load(record)),
      i32x4.dot_i16x8_s(v128.load8x8_s(src, 10), v128.load(record, 16)),
    );
    const high = i32x4.add(
      i32x4.dot_i16x8_s(v128.load8x8_s(src, 18), v128.load(record, 32)),
      i32x4.dot_i16x8_s(v128.load8x8_s(src, 26), v128.load(record, 48)),
    );
    y += step(record, src, i32x4.add(low, high));
  }
  return y;
}

export function q4_0_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15), eight = i8x16.splat(8);
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 18, record += STEP) {
    const q = v128.load(src, 2);
    const low = dotSigned(i8x16.sub(v128.and(q, nibble), eight), record);
    const high = dotSigned(i8x16.sub(v128.and(i16x8.shr_u(q, 4), nibble), eight), record + 32);
    y += step(record, src, i32x4.add(low, high));
  }
  return y;
}

export function q4_1_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15);
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 20, record += STEP) {
    const q = v128.load(src, 4);
    const low = dotUnsigned(v128.and(q, nibble), record);
    const high = dotUnsigned(v128.and(i16x8.shr_u(q, 4), nibble), record + 32);
    y += offsetStep(record, src, i32x4.add(low, high));
  }
  return y;
}

export function q5_0_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15), less = i8x16.splat(-16); // as in q5_0_expand
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 22, record += STEP) {
    const q = v128.load(src, 6);
    const high = v128.and(i16x8.shr_u(q, 4), nibble);
    const dot = i32x4.add(
      dotSigned(v128.or(v128.and(q, nibble), v128.and(clear(src + 2), less)), record),
      dotSigned(v128.or(high, v128.and(clear(src + 4), less)), record + 32),
    );
    y += step(record, src, dot);
  }
  return y;
}

export function q5_1_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15), fifth = i8x16.splat(16);
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 24, record += STEP) {
    const q = v128.load(src, 8);
    const high = v128.and(i16x8.shr_u(q, 4), nibble);
    const dot = i32x4.add(
      dotUnsigned(v128.or(v128.and(q, nibble), v128.andnot(fifth, clear(src + 4))), record),
      dotUnsigned(v128.or(high, v128.andnot(fifth, clear(src + 6))), record + 32),
    );
    y += offsetStep(record, src, dot);
  }
  return y;
}

export function iq4_nl_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15);
  const values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  let y: f32 = 0;
  for (; blocks > 0; blocks--, src += 18, record += STEP) {
    const q = v128.load(src, 2);
    const low = dotSigned(i8x16.swizzle(values, v128.and(q, nibble)), record);
    const high = dotSigned(i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)), record + 32);
    y += step(record, src, i32x4.add(low, high));
  }
  return y;
}
