/**
 * What the products of one token share. A weight is multiplied as it is unpacked, without a panel in between: a row at
 * a time, its integers summed exactly over a block of 256, then the same float step as in rows-int.as.ts, in the
 * same order: the bits are those of the token in a batch.
 */
import { WIDE_RECORD, WIDE_SCALE, WIDE_SUMS } from './layout.as';
import { laneSum } from './sums.as';

/** Bytes from a group's record to the next one's: records of two tokens alternate. */
export const STEP: usize = 2 * WIDE_RECORD;

/** The float step of a block: d s (codes . codes). */
export function blockStep(record: usize, d: f32, dot: v128): f32 {
  return d * load<f32>(record, WIDE_SCALE) * <f32>laneSum(dot);
}

/** What mins take away: dmin s (mins . sums), for 16 mins of a byte each. */
export function minStep(record: usize, dmin: f32, mins: v128): f32 {
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(mins), v128.load(record, WIDE_SUMS));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(mins), v128.load(record, WIDE_SUMS + 16));
  return dmin * load<f32>(record, WIDE_SCALE) * <f32>laneSum(i32x4.add(low, high));
}

/** Dot products of 16 codes, a signed byte each, with 16 activations. */
export function dotSigned(codes: v128, x: usize): v128 {
  return i32x4.add(
    i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(codes), v128.load(x)),
    i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(codes), v128.load(x, 16)),
  );
}

/** As `dotSigned`, for unsigned bytes. */
export function dotUnsigned(codes: v128, x: usize): v128 {
  return i32x4.add(
    i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(codes), v128.load(x)),
    i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(codes), v128.load(x, 16)),
  );
}
