/**
 * Q4_K and Q5_K to their integer planes: c = scale * q, with a 6-bit scale and min for every 32 weights, twelve bytes
 * after d and dmin.
 */
import { f16ToF32 } from '../../kernels/half.as';
import { storePair, storeScaled, storeUnsigned } from './pair.as';
import { minBytes, scaleBytes } from './six-bit.as';

export function q4_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, mins: usize): void {
  const nibble = i16x8.splat(15);
  for (; blocks > 0; blocks--, src += 144, scales += 8, mins += 32) {
    storePair(scales, f16ToF32(load<u16>(src)), f16ToF32(load<u16>(src, 2)));
    storeUnsigned(mins, minBytes(src + 4));
    let scale = scaleBytes(src + 4);
    for (let at = src + 16; at < src + 144; at += 32, codes += 128, scale >>= 16) {
      const low = i16x8.splat(<i16>(scale & 255));
      const high = i16x8.splat(<i16>((scale >> 8) & 255));
      const q0 = v128.load8x8_u(at);
      const q1 = v128.load8x8_u(at, 8);
      const q2 = v128.load8x8_u(at, 16);
      const q3 = v128.load8x8_u(at, 24);
      v128.store(codes, i16x8.mul(v128.and(q0, nibble), low));
      v128.store(codes, i16x8.mul(v128.and(q1, nibble), low), 16);
      v128.store(codes, i16x8.mul(v128.and(q2, nibble), low), 32);
      v128.store(codes, i16x8.mul(v128.and(q3, nibble), low), 48);
      v128.store(codes, i16x8.mul(i16x8.shr_u(q0, 4), high), 64);
      v128.store(codes, i16x8.mul(i16x8.shr_u(q1, 4), high), 80);
      v128.store(codes, i16x8.mul(i16x8.shr_u(q2, 4), high), 96);
      v128.store(codes, i16x8.mul(i16x8.shr_u(q3, 4), high), 112);
    }
  }
}

export function q5_k_expand(src: usize, blocks: i32, codes: usize, scales: usize, mins: usize): void {
  const nibble = i8x16.splat(15);
  const fifth = i8x16.splat(16);
  for (; blocks > 0; blocks--, src += 176, scales += 8, mins += 32) {
    storePair(scales, f16ToF32(load<u16>(src)), f16ToF32(load<u16>(src, 2)));
    storeUnsigned(mins, minBytes(src + 4));
    let scale = scaleBytes(src + 4);
    const first = v128.load(src, 16);
    const second = v128.load(src, 32);
    // Bit s of these bytes is the fifth of sub-block s. Bits 0 to 3 go up by 4, and then all come down past bit 4;
    // what a 16-bit shift brings in from the neighbouring byte never gets below bit 5.
    let h0 = i16x8.shl(v128.and(first, nibble), 4);
    let h1 = i16x8.shl(v128.and(second, nibble), 4);
    for (let at = src + 48; at < src + 176; at += 32, codes += 128, scale >>= 16) {
      const low = i16x8.splat(<i16>(scale & 255));
      const high = i16x8.splat(<i16>((scale >> 8) & 255));
      const q0 = v128.load(at);
      const q1 = v128.load(at, 16);
      storeScaled(codes, v128.or(v128.and(q0, nibble), v128.and(h0, fifth)), low);
      storeScaled(codes + 32, v128.or(v128.and(q1, nibble), v128.and(h1, fifth)), low);
      const upper0 = v128.and(i16x8.shr_u(q0, 4), nibble);
      const upper1 = v128.and(i16x8.shr_u(q1, 4), nibble);
      storeScaled(codes + 64, v128.or(upper0, v128.and(i16x8.shr_u(h0, 1), fifth)), high);
      storeScaled(codes + 96, v128.or(upper1, v128.and(i16x8.shr_u(h1, 1), fifth)), high);
      h0 = i16x8.shr_u(h0, 2);
      h1 = i16x8.shr_u(h1, 2);
      if (at == src + 80) {
        h0 = first;
        h1 = second;
      }
    }
  }
}
