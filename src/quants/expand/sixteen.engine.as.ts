/**
 * Formats whose 4-bit codes stand for 16 tabulated values to their integer planes: IQ4_NL and IQ4_XS, and MXFP4 and
 * NVFP4 with the doubled values of FP4 (E2M1).
 */
import { storePair, storeScale, storeScaled, storeSigned } from './pair.as';

/** Half the power of two of an MXFP4 scale byte, 2^(e - 128): its values are doubled. Exact, subnormals too. */
function halfPower(e: u32): f32 {
  return reinterpret<f32>(e < 2 ? 0x00200000 << e : (e - 1) << 23);
}

export function iq4_nl_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  for (; blocks > 0; blocks--, src += 18, codes += 64, scales += 8) {
    storeScale(scales, src);
    const q = v128.load(src, 2);
    storeSigned(codes, i8x16.swizzle(values, v128.and(q, nibble)));
    storeSigned(codes + 32, i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)));
  }
}

export function iq4_xs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const values = i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
  for (; blocks > 0; blocks--, src += 136, scales += 8) {
    storeScale(scales, src);
    let low = load<u32>(src, 4);
    let high = <u32>load<u16>(src, 2) << 4;
    for (let at = src + 8; at < src + 136; at += 16, codes += 64, low >>= 4, high >>= 2) {
      const scale = i16x8.splat(<i16>((low & 15) | (high & 0x30)) - 32);
      const q = v128.load(at);
      storeScaled(codes, i8x16.swizzle(values, v128.and(q, nibble)), scale);
      storeScaled(codes + 32, i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)), scale);
    }
  }
}

export function mxfp4_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const nibble = i8x16.splat(15);
  const values = i8x16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  for (; blocks > 0; blocks--, src += 17, codes += 64, scales += 8) {
    storePair(scales, halfPower(load<u8>(src)), 0);
    const q = v128.load(src, 1);
    storeSigned(codes, i8x16.swizzle(values, v128.and(q, nibble)));
    storeSigned(codes + 32, i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble)));
  }
}

/** Halves of four unsigned E4M3 bytes (bias 7), for doubled values: 0x7F reads as 0, bit 7 counts for that only. */
function halfE4m3(at: usize): v128 {
  const bytes = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
  const bits = v128.and(bytes, i32x4.splat(0x7f));
  const normal = i32x4.add(i32x4.shl(bits, 20), i32x4.splat(119 << 23));
  const subnormal = f32x4.mul(f32x4.convert_i32x4_s(bits), f32x4.splat(0.0009765625)); // 2^-10
  const value = v128.bitselect(subnormal, normal, i32x4.lt_u(bits, i32x4.splat(8)));
  return v128.andnot(value, i32x4.eq(bytes, i32x4.splat(0x7f)));
}

/** Writes the 32 weights of two scales: of each 8 bytes the low nibbles are the first 8 weights of 16. */
function storeFp4(codes: usize, q: v128): void {
  const nibble = i8x16.splat(15);
  const values = i8x16(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  const low = i8x16.swizzle(values, v128.and(q, nibble));
  const high = i8x16.swizzle(values, v128.and(i16x8.shr_u(q, 4), nibble));
  v128.store(codes, i16x8.extend_low_i8x16_s(low));
  v128.store(codes, i16x8.extend_low_i8x16_s(high), 16);
  v128.store(codes, i16x8.extend_high_i8x16_s(low), 32);
  v128.store(codes, i16x8.extend_high_i8x16_s(high), 48);
}

export function nvfp4_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  const zero = i32x4.splat(0);
  for (; blocks > 0; blocks--, src += 36, codes += 128, scales += 32) {
    const d = halfE4m3(src);
    v128.store(scales, i8x16.shuffle(d, zero, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 16, 17, 18, 19));
    v128.store(scales, i8x16.shuffle(d, zero, 8, 9, 10, 11, 16, 17, 18, 19, 12, 13, 14, 15, 16, 17, 18, 19), 16);
    storeFp4(codes, v128.load(src, 4));
    storeFp4(codes + 64, v128.load(src, 20));
  }
}
