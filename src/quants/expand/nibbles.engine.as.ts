/**
 * Formats of 4- and 5-bit numbers to their integer planes: Q4_0, Q4_1, Q5_0, Q5_1. The low nibbles of 16 bytes are
 * weights 0..15 of 32, the high ones 16..31. The formats with an offset m have dmin = -m.
 */
import { f16ToF32 } from '../../kernels/half.as';
import { clear } from './fifth-bits.as';
import { storePair, storeScale, storeSigned, storeUnsigned } from './pair.as';

export function q4_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const eight = i8x16.splat(8);
  for (; blocks > 0; blocks--, src += 18, codes += 64, scales += 8) {
    storeScale(scales, src);
    const q = v128.load(src, 2);
    storeSigned(codes, i8x16.sub(v128.and(q, nibble), eight));
    storeSigned(codes + 32, i8x16.sub(v128.and(i16x8.shr_u(q, 4), nibble), eight));
  }
}

export function q4_1_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  for (; blocks > 0; blocks--, src += 20, codes += 64, scales += 8) {
    storePair(scales, f16ToF32(load<u16>(src)), -f16ToF32(load<u16>(src, 2)));
    const q = v128.load(src, 4);
    storeUnsigned(codes, v128.and(q, nibble));
    storeUnsigned(codes + 32, v128.and(i16x8.shr_u(q, 4), nibble));
  }
}

export function q5_0_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const less = i8x16.splat(-16); // q - 16 where the fifth bit is clear; with it set, the low bits are q - 16
  for (; blocks > 0; blocks--, src += 22, codes += 64, scales += 8) {
    storeScale(scales, src);
    const q = v128.load(src, 6);
    storeSigned(codes, v128.or(v128.and(q, nibble), v128.and(clear(src + 2), less)));
    storeSigned(codes + 32, v128.or(v128.and(i16x8.shr_u(q, 4), nibble), v128.and(clear(src + 4), less)));
  }
}

export function q5_1_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const fifth = i8x16.splat(16);
  for (; blocks > 0; blocks--, src += 24, codes += 64, scales += 8) {
    storePair(scales, f16ToF32(load<u16>(src)), -f16ToF32(load<u16>(src, 2)));
    const q = v128.load(src, 8);
    storeUnsigned(codes, v128.or(v128.and(q, nibble), v128.andnot(fifth, clear(src + 4))));
    storeUnsigned(codes + 32, v128.or(v128.and(i16x8.shr_u(q, 4), nibble), v128.andnot(fifth, clear(src + 6))));
  }
}
