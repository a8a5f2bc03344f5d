/** Rows of Q4_K, Q5_K and Q6_K blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { minBytes, scaleBytes } from '../../../quants/expand/six-bit.as';
import { WIDE_SUMS } from './records.as';
import { blockStep, dotUnsigned, minStep, STEP } from './single.as';

export function q4_k_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i16x8.splat(15);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 144, record += STEP) {
    let scale = scaleBytes(src + 4);
    let total = i32x4.splat(0);
    let x = record;
    for (let at = src + 16; at < src + 144; at += 32, x += 128, scale >>= 16) {
      const q0 = v128.load8x8_u(at);
      const q1 = v128.load8x8_u(at, 8);
      const q2 = v128.load8x8_u(at, 16);
      const q3 = v128.load8x8_u(at, 24);
      let low = i32x4.dot_i16x8_s(v128.and(q0, nibble), v128.load(x));
      let high = i32x4.dot_i16x8_s(i16x8.shr_u(q0, 4), v128.load(x, 64));
      low = i32x4.add(low, i32x4.dot_i16x8_s(v128.and(q1, nibble), v128.load(x, 16)));
      high = i32x4.add(high, i32x4.dot_i16x8_s(i16x8.shr_u(q1, 4), v128.load(x, 80)));
      low = i32x4.add(low, i32x4.dot_i16x8_s(v128.and(q2, nibble), v128.load(x, 32)));
      high = i32x4.add(high, i32x4.dot_i16x8_s(i16x8.shr_u(q2, 4), v128.load(x, 96)));
      low = i32x4.add(low, i32x4.dot_i16x8_s(v128.and(q3, nibble), v128.load(x, 48)));
      high = i32x4.add(high, i32x4.dot_i16x8_s(i16x8.shr_u(q3, 4), v128.load(x, 112)));
      total = i32x4.add(total, i32x4.mul(low, i32x4.splat(<i32>(scale & 255))));
      total = i32x4.add(total, i32x4.mul(high, i32x4.splat(<i32>((scale >> 8) & 255))));
    }
    const product = blockStep(record, f16ToF32(load<u16>(src)), total);
    sum += product - minStep(record, f16ToF32(load<u16>(src, 2)), minBytes(src + 4));
  }
  return sum;
}

export function q5_k_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15);
  const fifth = i8x16.splat(16);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 176, record += STEP) {
    let scale = scaleBytes(src + 4);
    let total = i32x4.splat(0);
    let x = record;
    // Fifth bits as in q5_k_expand.
    const first = v128.load(src, 16);
    const second = v128.load(src, 32);
    let h0 = i16x8.shl(v128.and(first, nibble), 4);
    let h1 = i16x8.shl(v128.and(second, nibble), 4);
    for (let at = src + 48; at < src + 176; at += 32, x += 128, scale >>= 16) {
      const q0 = v128.load(at);
      const q1 = v128.load(at, 16);
      const upper0 = v128.and(i16x8.shr_u(q0, 4), nibble);
      const upper1 = v128.and(i16x8.shr_u(q1, 4), nibble);
      const low = i32x4.add(
        dotUnsigned(v128.or(v128.and(q0, nibble), v128.and(h0, fifth)), x),
        dotUnsigned(v128.or(v128.and(q1, nibble), v128.and(h1, fifth)), x + 32),
      );
      const high = i32x4.add(
        dotUnsigned(v128.or(upper0, v128.and(i16x8.shr_u(h0, 1), fifth)), x + 64),
        dotUnsigned(v128.or(upper1, v128.and(i16x8.shr_u(h1, 1), fifth)), x + 96),
      );
      total = i32x4.add(total, i32x4.mul(low, i32x4.splat(<i32>(scale & 255))));
      total = i32x4.add(total, i32x4.mul(high, i32x4.splat(<i32>((scale >> 8) & 255))));
      h0 = i16x8.shr_u(h0, 2);
      h1 = i16x8.shr_u(h1, 2);
      if (at == src + 80) {
        h0 = first;
        h1 = second;
      }
    }
    const product = blockStep(record, f16ToF32(load<u16>(src)), total);
    sum += product - minStep(record, f16ToF32(load<u16>(src, 2)), minBytes(src + 4));
  }
  return sum;
}

/** Products of 16 codes times their scale. */
function scaledDot(codes: v128, x: usize, scale: usize): v128 {
  return i32x4.mul(dotUnsigned(codes, x), i32x4.splat(<i32>load<i8>(scale)));
}

export function q6_k_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = i8x16.splat(15);
  const upper = i8x16.splat(0x30);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 210, record += STEP) {
    // Codes count from 0 here; the 32 that each has too much is taken from the sums of 16 activations.
    const factors = v128.load(src, 192);
    const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(factors), v128.load(record, WIDE_SUMS));
    const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(factors), v128.load(record, WIDE_SUMS + 16));
    let total = i32x4.mul(i32x4.add(low, high), i32x4.splat(-32));
    for (let part: usize = 0; part < 4; part++) {
      const half = part >> 1;
      const lane = (part & 1) << 4;
      const at = src + (half << 6) + lane;
      const scale = src + 192 + (half << 3) + (part & 1);
      const x = record + (half << 8) + (lane << 1);
      const q0 = v128.load(at);
      const q1 = v128.load(at, 32);
      const h = v128.load(src + 128 + (half << 5) + lane);
      const c0 = v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper));
      const c1 = v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper));
      const c2 = v128.or(v128.and(i16x8.shr_u(q0, 4), nibble), v128.and(h, upper));
      const c3 = v128.or(v128.and(i16x8.shr_u(q1, 4), nibble), v128.and(i16x8.shr_u(h, 2), upper));
      total = i32x4.add(total, scaledDot(c0, x, scale));
      total = i32x4.add(total, scaledDot(c1, x + 64, scale + 2));
      total = i32x4.add(total, scaledDot(c2, x + 128, scale + 4));
      total = i32x4.add(total, scaledDot(c3, x + 192, scale + 6));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src, 208)), total);
  }
  return sum;
}
