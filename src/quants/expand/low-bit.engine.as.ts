/** Q1_0, Q2_0 and TQ1_0 to their integer planes: signs, 2-bit fields and base-3 digits packed tightly. */
import { f16ToF32 } from '../../kernels/half.as';
import { storePair, storeScale } from './pair.as';

/** Writes 16 signs: 1 where the bit at `at` is set, else -1. */
function storeSigns(codes: usize, at: usize): void {
  const bits = v128.load16_splat(at);
  const zero = i16x8.splat(0);
  const one = i16x8.splat(1);
  const low = v128.and(bits, i16x8(1, 2, 4, 8, 16, 32, 64, 128));
  const high = v128.and(bits, i16x8(256, 512, 1024, 2048, 4096, 8192, 16384, -32768));
  v128.store(codes, v128.or(i16x8.eq(low, zero), one));
  v128.store(codes, v128.or(i16x8.eq(high, zero), one), 16);
}

export function q1_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 18) {
    const d = f16ToF32(load<u16>(src));
    for (let at = src + 2; at < src + 18; at += 4, codes += 64, scales += 8) {
      storePair(scales, d, 0);
      storeSigns(codes, at);
      storeSigns(codes + 32, at + 2);
    }
  }
}

/** Writes 8 weights: 2-bit fields less 1, lowest first. A product moves each field to the top of its lane. */
function storeFields(codes: usize, at: usize): void {
  const raised = i16x8.mul(v128.load16_splat(at), i16x8(16384, 4096, 1024, 256, 64, 16, 4, 1));
  v128.store(codes, i16x8.sub(i16x8.shr_u(raised, 14), i16x8.splat(1)));
}

export function q2_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 18) {
    const d = f16ToF32(load<u16>(src));
    for (let at = src + 2; at < src + 18; at += 8, codes += 64, scales += 8) {
      storePair(scales, d, 0);
      storeFields(codes, at);
      storeFields(codes + 16, at + 2);
      storeFields(codes + 32, at + 4);
      storeFields(codes + 48, at + 6);
    }
  }
}

/** Writes five digits less 1 of 8 fractions byte / 256 in base 3, `step` bytes from digit to digit. */
function storeDigits(codes: usize, at: usize, step: usize): void {
  const fraction = i16x8.splat(255);
  const one = i16x8.splat(1);
  let rest = v128.load8x8_u(at);
  for (let digit = 0; digit < 5; digit++, codes += step) {
    const next = i16x8.add(rest, i16x8.add(rest, rest));
    v128.store(codes, i16x8.sub(i16x8.shr_u(next, 8), one));
    rest = v128.and(next, fraction);
  }
}

/** The last 16 weights: four digits of each of four bytes, digit by digit. */
function storeLast(codes: usize, at: usize): void {
  const bytes = i16x8.extend_low_i8x16_u(v128.load32_splat(at));
  const first = v128.and(i16x8.mul(bytes, i16x8(1, 1, 1, 1, 3, 3, 3, 3)), i16x8.splat(255));
  const last = v128.and(i16x8.mul(bytes, i16x8(9, 9, 9, 9, 27, 27, 27, 27)), i16x8.splat(255));
  const three = i16x8.splat(3);
  const one = i16x8.splat(1);
  v128.store(codes, i16x8.sub(i16x8.shr_u(i16x8.mul(first, three), 8), one));
  v128.store(codes, i16x8.sub(i16x8.shr_u(i16x8.mul(last, three), 8), one), 16);
}

export function tq1_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 54, scales += 8, codes += 512) {
    storeScale(scales, src + 52);
    for (let i: usize = 0; i < 32; i += 8) storeDigits(codes + (i << 1), src + i, 64);
    for (let i: usize = 0; i < 16; i += 8) storeDigits(codes + 320 + (i << 1), src + 32 + i, 32);
    storeLast(codes + 480, src + 48);
  }
}
