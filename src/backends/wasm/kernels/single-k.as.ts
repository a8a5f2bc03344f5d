/** Rows of Q4_K, Q5_K and Q6_K blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { minBytes, scaleBytes } from '../../../quants/expand/six-bit.as';
import { WIDE_SCALE, WIDE_SUMS } from './layout.as';
import { blockStep, dotUnsigned, minStep, STEP } from './single.as';
import { laneSums } from './sums.as';

/**
 * Masks of 16 bytes: low six bits, the two bits above a nibble, nibbles. V8 would make such constants anew each
 * time.
 */
const SIX_BITS = memory.data<u8>([63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63], 16);
const UPPER_TWO = memory.data<u8>([48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48], 16);
const WORDS = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15], 16);
const FIFTH = memory.data<u8>([16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16], 16);
const NIBBLES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);

/**
 * The float step of a Q4_K block, whose head is d, dmin and twelve bytes of 6-bit scales and mins (six-bit.ts says
 * how they lie). Q5_K could share it, but then the compiler would not inline it, which costs Q4_K 7 % of its
 * speed. @param low,high dot products of sub-blocks 0 to 3 and 4 to 7.
 */
function sixBitStep(src: usize, record: usize, low: v128, high: v128): f32 {
  const head = v128.load(src, 4);
  const nibbles = v128.shuffle<i32>(head, i32x4.shr_u(head, 4), 2, 6, 2, 6);
  const upper = v128.and(i32x4.shr_u(head, 2), v128.load(UPPER_TWO));
  const last = v128.or(upper, v128.and(nibbles, v128.load(NIBBLES)));
  // Eight scales, eight mins.
  const bytes = v128.shuffle<i32>(v128.and(head, v128.load(SIX_BITS)), last, 0, 4, 1, 5);
  const scales = i16x8.extend_low_i8x16_u(bytes), mins = i16x8.extend_high_i8x16_u(bytes);
  const product = i32x4.add(
    i32x4.mul(low, i32x4.extend_low_i16x8_u(scales)),
    i32x4.mul(high, i32x4.extend_high_i16x8_u(scales)),
  );
  // A min covers two sums of 16.
  const min = i32x4.add(
    i32x4.dot_i16x8_s(v128.shuffle<i16>(mins, mins, 0, 8, 1, 9, 2, 10, 3, 11), v128.load(record, WIDE_SUMS)),
    i32x4.dot_i16x8_s(v128.shuffle<i16>(mins, mins, 4, 12, 5, 13, 6, 14, 7, 15), v128.load(record, WIDE_SUMS + 16)),
  );
  const both = i32x4.add(v128.shuffle<i32>(product, min, 0, 4, 1, 5), v128.shuffle<i32>(product, min, 2, 6, 3, 7));
  const totals = f32x4.convert_i32x4_s(i32x4.add(both, v128.shuffle<i64>(both, both, 1, 0)));
  const scale = load<f32>(record, WIDE_SCALE);
  const step = f16ToF32(load<u16>(src)) * scale * f32x4.extract_lane(totals, 0);
  return step - f16ToF32(load<u16>(src, 2)) * scale * f32x4.extract_lane(totals, 1);
}

/** A row of Q4_K blocks. @param record the token's first record. */
export function q4_k_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = v128.load(WORDS);
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 144, record += STEP) {
    // Sub-blocks 2 i and 2 i + 1 are the nibbles of 32 bytes; 8 weights of each at a time.
    let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
    for (let q = src + 16, end = q + 32, x = record; q < end; q += 8, x += 16) {
      let c = v128.load8x8_u(q);
      s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.and(c, nibble), v128.load(x)));
      s1 = i32x4.add(s1, i32x4.dot_i16x8_s(i16x8.shr_u(c, 4), v128.load(x, 64)));
      c = v128.load8x8_u(q, 32);
      s2 = i32x4.add(s2, i32x4.dot_i16x8_s(v128.and(c, nibble), v128.load(x, 128)));
      s3 = i32x4.add(s3, i32x4.dot_i16x8_s(i16x8.shr_u(c, 4), v128.load(x, 192)));
      c = v128.load8x8_u(q, 64);
      s4 = i32x4.add(s4, i32x4.dot_i16x8_s(v128.and(c, nibble), v128.load(x, 256)));
      s5 = i32x4.add(s5, i32x4.dot_i16x8_s(i16x8.shr_u(c, 4), v128.load(x, 320)));
      c = v128.load8x8_u(q, 96);
      s6 = i32x4.add(s6, i32x4.dot_i16x8_s(v128.and(c, nibble), v128.load(x, 384)));
      s7 = i32x4.add(s7, i32x4.dot_i16x8_s(i16x8.shr_u(c, 4), v128.load(x, 448)));
    }
    sum += sixBitStep(src, record, laneSums(s0, s1, s2, s3), laneSums(s4, s5, s6, s7));
  }
  return sum;
}

export function q5_k_row(src: usize, blocks: i32, record: usize): f32 {
  const nibble = v128.load(NIBBLES);
  const fifth = v128.load(FIFTH);
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
  const nibble = v128.load(NIBBLES);
  const upper = v128.load(UPPER_TWO);
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
