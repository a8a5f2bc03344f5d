/**
 * Formats whose codes lie in columns to their integer planes: Q2_K, Q3_K, Q6_K and TQ2_0. A byte holds a 2-bit field of
 * weights that are 32 apart, so 16 bytes give 16 neighbouring weights in each of four columns.
 */
import { f16ToF32 } from '../../kernels/half.as';
import { storePair, storeScale, storeScaled, storeSigned, storeUnsigned } from './pair.as';

/** Four bytes in each of which are four 2-bit fields: field `k` of all. */
function fields(bytes: u32, k: u32): u64 {
  return <u64>((bytes >> (2 * k)) & 0x03030303);
}

/** Scales, in low nibbles, times 2-bit codes: at most 45, so that bytes can be multiplied two at a time. */
function storeQ2(codes: usize, q: v128, packed: usize): void {
  storeUnsigned(codes, i16x8.mul(q, i16x8.splat(<i16>(load<u8>(packed) & 15))));
}

export function q2_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, mins: usize): void {
  const three = i8x16.splat(3);
  for (; blocks > 0; blocks--, src += 84, scales += 8, mins += 32, codes += 512) {
    storePair(scales, f16ToF32(load<u16>(src, 80)), f16ToF32(load<u16>(src, 82)));
    v128.store(mins, i16x8.shr_u(v128.load8x8_u(src), 4));
    v128.store(mins, i16x8.shr_u(v128.load8x8_u(src, 8), 4), 16);
    for (let part: usize = 0; part < 4; part++) {
      const packed = src + ((part >> 1) << 3) + (part & 1);
      const out = codes + ((part >> 1) << 8) + ((part & 1) << 5);
      const q = v128.load(src + 16 + (part << 4));
      storeQ2(out, v128.and(q, three), packed);
      storeQ2(out + 64, v128.and(i16x8.shr_u(q, 2), three), packed + 2);
      storeQ2(out + 128, v128.and(i16x8.shr_u(q, 4), three), packed + 4);
      storeQ2(out + 192, v128.and(i16x8.shr_u(q, 6), three), packed + 6);
    }
  }
}

/** 2-bit codes less 4 where the column's bit is clear, times scale - 32. */
function storeQ3(codes: usize, q: v128, high: v128, bit: i32, scale: i32): void {
  const mask = i8x16.splat(<i8>bit);
  const less = v128.andnot(i8x16.splat(-4), i8x16.eq(v128.and(high, mask), mask));
  storeScaled(codes, v128.or(q, less), i16x8.splat(<i16>((scale & 255) - 32)));
}

export function q3_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const three = i8x16.splat(3);
  for (; blocks > 0; blocks--, src += 110, scales += 8, codes += 512) {
    storeScale(scales, src + 108);
    const low = load<u64>(src, 96);
    const high = load<u32>(src, 104);
    let bit = 1;
    for (let half: usize = 0; half < 2; half++, bit <<= 4) {
      const k = <u32>half << 1;
      const nibbles = (low >> (half << 2)) & 0x0f0f0f0f0f0f0f0f;
      const all = nibbles | (fields(high, k) << 4) | (fields(high, k + 1) << 36);
      for (let lane: usize = 0; lane < 2; lane++) {
        const scale = all >> (lane << 3);
        const out = codes + (half << 8) + (lane << 5);
        const q = v128.load(src + 32 + (half << 5) + (lane << 4));
        const h = v128.load(src + (lane << 4));
        storeQ3(out, v128.and(q, three), h, bit, <i32>scale);
        storeQ3(out + 64, v128.and(i16x8.shr_u(q, 2), three), h, bit << 1, <i32>(scale >> 16));
        storeQ3(out + 128, v128.and(i16x8.shr_u(q, 4), three), h, bit << 2, <i32>(scale >> 32));
        storeQ3(out + 192, v128.and(i16x8.shr_u(q, 6), three), h, bit << 3, <i32>(scale >> 48));
      }
    }
  }
}

/** 6-bit codes less 32, times the 8-bit scale at `scale`: at most 4096 in magnitude. */
function storeQ6(codes: usize, q: v128, scale: usize): void {
  storeScaled(codes, i8x16.sub(q, i8x16.splat(32)), i16x8.splat(<i16>load<i8>(scale)));
}

export function q6_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const upper = i8x16.splat(0x30);
  for (; blocks > 0; blocks--, src += 210, scales += 8, codes += 512) {
    storeScale(scales, src + 208);
    for (let part: usize = 0; part < 4; part++) {
      const half = part >> 1;
      const lane = (part & 1) << 4;
      const low = src + (half << 6) + lane;
      const factors = src + 192 + (half << 3) + (part & 1);
      const out = codes + (half << 8) + (lane << 1);
      const q0 = v128.load(low);
      const q1 = v128.load(low, 32);
      const h = v128.load(src + 128 + (half << 5) + lane);
      storeQ6(out, v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper)), factors);
      storeQ6(out + 64, v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper)), factors + 2);
      const q2 = v128.and(i16x8.shr_u(q0, 4), nibble);
      const q3 = v128.and(i16x8.shr_u(q1, 4), nibble);
      storeQ6(out + 128, v128.or(q2, v128.and(h, upper)), factors + 4);
      storeQ6(out + 192, v128.or(q3, v128.and(i16x8.shr_u(h, 2), upper)), factors + 6);
    }
  }
}

export function tq2_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const three = i8x16.splat(3);
  const one = i8x16.splat(1);
  for (; blocks > 0; blocks--, src += 66, scales += 8, codes += 512) {
    storeScale(scales, src + 64);
    for (let part: usize = 0; part < 4; part++) {
      const out = codes + ((part >> 1) << 8) + ((part & 1) << 5);
      const q = v128.load(src + (part << 4));
      storeSigned(out, i8x16.sub(v128.and(q, three), one));
      storeSigned(out + 64, i8x16.sub(v128.and(i16x8.shr_u(q, 2), three), one));
      storeSigned(out + 128, i8x16.sub(v128.and(i16x8.shr_u(q, 4), three), one));
      storeSigned(out + 192, i8x16.sub(v128.and(i16x8.shr_u(q, 6), three), one));
    }
  }
}
