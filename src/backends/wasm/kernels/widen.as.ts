/** Plain float weights to f32. */
import { f16ToF32 } from '../../../kernels/half.as';

/** Types of float weights, as the kernels' `type` argument says them. */
export const F32: i32 = 0;
export const F16: i32 = 1;
export const BF16: i32 = 2;

export function valueBytes(type: i32): usize {
  return type == F32 ? 4 : 2;
}

/** `count` weights at `from` to f32 at `to`, which has room for a multiple of 8. */
export function widenRow(type: i32, from: usize, count: i32, to: usize): void {
  if (type == F32) memory.copy(to, from, <usize>count << 2);
  else if (type == F16) widenF16(from, count, to);
  else widenBf16(from, count, to);
}

function widenF16(from: usize, count: i32, to: usize): void {
  let i = 0;
  for (; i + 8 <= count; i += 8, from += 16, to += 32) {
    v128.store(to, f16x4(v128.load16x4_u(from)));
    v128.store(to, f16x4(v128.load16x4_u(from, 8)), 16);
  }
  for (; i < count; i++, from += 2, to += 4) store<f32>(to, f16ToF32(load<u16>(from)));
}

/**
 * Four f16 in i32 lanes to f32. Their exponent and mantissa, moved into place, are the value times 2^-112, also where
 * it is subnormal; only infinite values and NaN need their exponent filled up.
 */
function f16x4(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const sign = i32x4.shl(v128.andnot(bits, i32x4.splat(0x7fff)), 16);
  const value = f32x4.mul(magnitude, f32x4.splat(5.192296858534828e33)); // 2^112
  const special = i32x4.gt_s(magnitude, i32x4.splat(0x0f7fffff)); // exponent 31
  return v128.or(v128.or(value, sign), v128.and(special, i32x4.splat(0x7f800000)));
}

function widenBf16(from: usize, count: i32, to: usize): void {
  let i = 0;
  const zero = i16x8.splat(0);
  for (; i + 8 <= count; i += 8, from += 16, to += 32) {
    const bits = v128.load(from);
    v128.store(to, v128.shuffle<i16>(zero, bits, 0, 8, 0, 9, 0, 10, 0, 11));
    v128.store(to, v128.shuffle<i16>(zero, bits, 0, 12, 0, 13, 0, 14, 0, 15), 16);
  }
  for (; i < count; i++, from += 2, to += 4) store<u32>(to, <u32>load<u16>(from) << 16);
}
