/**
 * IQ3_XXS and IQ3_S to their integer planes: c = (2 scale + 1) * point * sign, for IQ3_XXS with a quarter of the stored
 * d; |c| <= 31 * 62. Four weights are one point of a grid.
 */
import { EVEN_SIGNS, IQ3_S_GRID, IQ3_XXS_GRID } from './grids.gen.as';
import { storeScale, storeScaled } from './pair.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i16x8.splat(<i16>(((bits & 15) << 1) | 1));
}

/** Writes 8 weights: the points of two indices, the byte offset of their signs, the scale. */
function storeEight(codes: usize, points: usize, signs: u32, scale: v128): void {
  const first = v128.load32_zero(IQ3_XXS_GRID + (<usize>load<u8>(points) << 2));
  const both = v128.load32_lane(IQ3_XXS_GRID + (<usize>load<u8>(points, 1) << 2), first, 1);
  const signed = i16x8.mul(i16x8.extend_low_i8x16_s(both), v128.load8x8_s(EVEN_SIGNS + signs));
  v128.store(codes, i16x8.mul(signed, scale));
}

export function iq3_xxs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 98, scales += 8) {
    storeScale(scales, src, 0.25);
    let words = src + 66;
    for (let at = src + 2; at < src + 66; at += 8, codes += 64, words += 4) {
      const word = load<u32>(words);
      const scale = oddScale(word >> 28);
      storeEight(codes, at, (word << 3) & 0x3f8, scale);
      storeEight(codes + 16, at + 2, (word >> 4) & 0x3f8, scale);
      storeEight(codes + 32, at + 4, (word >> 11) & 0x3f8, scale);
      storeEight(codes + 48, at + 6, (word >> 18) & 0x3f8, scale);
    }
  }
}

/** Address of the point of an index: the byte at `at`, and bit 8 of `high`. */
function pointAddress(at: usize, high: u32): usize {
  return IQ3_S_GRID + ((<usize>load<u8>(at) | (high & 256)) << 2);
}

/** Writes 16 weights: four points whose high index bits are the lowest of `high`, and two bytes of signs as in IQ2_S. */
function storeFree(codes: usize, at: usize, high: u32, signs: v128, scale: v128): void {
  const bits = i64x2.splat(0x8040201008040201);
  const minus = i8x16.eq(v128.and(signs, bits), bits);
  let points = v128.load32_zero(pointAddress(at, high << 8));
  points = v128.load32_lane(pointAddress(at + 1, high << 7), points, 1);
  points = v128.load32_lane(pointAddress(at + 2, high << 6), points, 2);
  points = v128.load32_lane(pointAddress(at + 3, high << 5), points, 3);
  storeScaled(codes, i8x16.sub(v128.xor(points, minus), minus), scale);
}

export function iq3_s_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 110, scales += 8) {
    storeScale(scales, src);
    let nibbles = load<u32>(src, 106);
    for (let k: usize = 0; k < 8; k++, codes += 64, nibbles >>= 4) {
      const at = src + 2 + (k << 3);
      const high = <u32>load<u8>(src + k, 66);
      const signs = v128.load32_splat(src + (k << 2), 74);
      const first = i8x16.shuffle(signs, signs, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
      const second = i8x16.shuffle(signs, signs, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
      const scale = oddScale(nibbles);
      storeFree(codes, at, high, first, scale);
      storeFree(codes + 32, at + 4, high >> 4, second, scale);
    }
  }
}
