/** Plain float weights to f32. */
import { f16ToF32 } from '../../../kernels/half.as';
import { F16, F32 } from './layout.as';

export function valueBytes(type: i32): usize {
  return type == F32 ? 4 : 2;
}

/** `count` weights at `from` to f32 at `to`. */
export function widenRow(type: i32, from: usize, count: i32, to: usize): void {
  if (type == F32) memory.copy(to, from, <usize>count << 2);
  else if (type == F16) widenF16(from, count, to);
  else widenBf16(from, count, to);
}

function widenF16(from: usize, count: i32, to: usize): void {
  let i = 0;
  for (; i + 8 <= count; i += 8, from += 16, to += 32) {
    v128.store(to, f16x4(v128.load16x4_s(from)));
    v128.store(to, f16x4(v128.load16x4_s(from, 8)), 16);
  }
  for (; i < count; i++, from += 2, to += 4) store<f32>(to, f16ToF32(load<u16>(from)));
}

/**
 * Four f16, sign-extended to i32 lanes, to f32. Moved up by 13 bits their exponent and mantissa are the value times
 * 2^-112, also where it is subnormal; only infinite values and NaN need their exponent filled up.
 */
export function f16x4(bits: v128): v128 {
  const small = v128.and(i32x4.shl(bits, 13), i32x4.splat(0x8fffffff));
  const special = v128.and(i32x4.splat(0x0f800000), small);
  const full = i32x4.eq(special, i32x4.splat(0x0f800000));
  const value = f32x4.mul(small, f32x4.splat(5.192296858534828e33)); // 2^112
  return v128.or(value, v128.and(full, i32x4.splat(0x7f800000)));
}

function widenBf16(from: usize, count: i32, to: usize): void {
  let i = 0;
  for (; i + 8 <= count; i += 8, from += 16, to += 32) {
    v128.store(to, i32x4.shl(v128.load16x4_u(from), 16));
    v128.store(to, i32x4.shl(v128.load16x4_u(from, 8), 16), 16);
  }
  for (; i < count; i++, from += 2, to += 4) store<u32>(to, <u32>load<u16>(from) << 16);
}
