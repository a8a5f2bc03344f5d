/** Rows of Q2_K, Q3_K and IQ4_XS blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { blockStep, dotSigned, dotUnsigned, minStep, STEP } from './single.as';

/** 16 weights of Q2_K, whose scale is a low nibble. */
function scaledDot(codes: v128, x: usize, packed: usize): v128 {
  return i32x4.mul(dotUnsigned(codes, x), i32x4.splat(<i32>load<u8>(packed) & 15));
}

export function q2_k_row(src: usize, blocks: i32, record: usize): f32 {
  const three = i8x16.splat(3);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 84, record += STEP) {
    let total = i32x4.splat(0);
    for (let part: usize = 0; part < 4; part++) {
      const packed = src + ((part >> 1) << 3) + (part & 1);
      const x = record + ((part >> 1) << 8) + ((part & 1) << 5);
      const q = v128.load(src + 16 + (part << 4));
      total = i32x4.add(total, scaledDot(v128.and(q, three), x, packed));
      total = i32x4.add(total, scaledDot(v128.and(i16x8.shr_u(q, 2), three), x + 64, packed + 2));
      total = i32x4.add(total, scaledDot(v128.and(i16x8.shr_u(q, 4), three), x + 128, packed + 4));
      total = i32x4.add(total, scaledDot(v128.and(i16x8.shr_u(q, 6), three), x + 192, packed + 6));
    }
    const product = blockStep(record, f16ToF32(load<u16>(src, 80)), total);
    const mins = v128.and(i16x8.shr_u(v128.load(src), 4), i8x16.splat(15));
    sum += product - minStep(record, f16ToF32(load<u16>(src, 82)), mins);
  }
  return sum;
}

/** Four bytes in each of which are four 2-bit fields: field `k` of all. */
function fields(bytes: u32, k: u32): u64 {
  return <u64>((bytes >> (2 * k)) & 0x03030303);
}

/** 16 weights of Q3_K: 2-bit codes less 4 where the column's bit is clear, times scale - 32. */
function highDot(q: v128, high: v128, bit: i32, scale: u64, x: usize): v128 {
  const mask = i8x16.splat(<i8>bit);
  const less = v128.andnot(i8x16.splat(-4), i8x16.eq(v128.and(high, mask), mask));
  return i32x4.mul(dotSigned(v128.or(q, less), x), i32x4.splat(<i32>(scale & 255) - 32));
}

export function q3_k_row(src: usize, blocks: i32, record: usize): f32 {
  const three = i8x16.splat(3);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 110, record += STEP) {
    const low = load<u64>(src, 96);
    const high = load<u32>(src, 104);
    let total = i32x4.splat(0);
    let bit = 1;
    for (let half: usize = 0; half < 2; half++, bit <<= 4) {
      const k = <u32>half << 1;
      const nibbles = (low >> (half << 2)) & 0x0f0f0f0f0f0f0f0f;
      const all = nibbles | (fields(high, k) << 4) | (fields(high, k + 1) << 36);
      for (let lane: usize = 0; lane < 2; lane++) {
        const scale = all >> (lane << 3);
        const x = record + (half << 8) + (lane << 5);
        const q = v128.load(src + 32 + (half << 5) + (lane << 4));
        const h = v128.load(src + (lane << 4));
        total = i32x4.add(total, highDot(v128.and(q, three), h, bit, scale, x));
        total = i32x4.add(total, highDot(v128.and(i16x8.shr_u(q, 2), three), h, bit << 1, scale >> 16, x + 64));
        total = i32x4.add(total, highDot(v128.and(i16x8.shr_u(q, 4), three), h, bit << 2, scale >> 32, x + 128));
        total = i32x4.add(total, highDot(v128.and(i16x8.shr_u(q, 6), three), h, bit << 3, scale >> 48, x + 192));
      }
    }
    sum += blockStep(record, f16ToF32(load<u16>(src, 108)), total);
  }
  return sum;
}

export function iq4_xs_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15);
  const values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 136, record += STEP) {
    let low = load<u32>(src, 4);
    let high = <u32>load<u16>(src, 2) << 4;
    let total = i32x4.splat(0);
    let x = record;
    for (let at = src + 8; at < src + 136; at += 16, x += 64, low >>= 4, high >>= 2) {
      const q = v128.load(at);
      const first = dotSigned(i8x16.swizzle(values, v128.and(q, nibble)), x);
      const second = dotSigned(i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)), x + 32);
      const scale = <i32>((low & 15) | (high & 0x30)) - 32;
      total = i32x4.add(total, i32x4.mul(i32x4.add(first, second), i32x4.splat(scale)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)), total);
  }
  return sum;
}
