/**
 * IQ3_XXS and IQ3_S to their integer planes: c = (2 scale + 1) * point * sign, for IQ3_XXS with a quarter of the stored
 * d; |c| <= 31 * 62. Four weights are one point of a grid.
 */
import { EVEN_SIGNS, FREE_SIGNS, IQ3_S_GRID, IQ3_XXS_GRID } from './grids.gen.as';
import { storeScale } from './pair.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i16x8.splat(<i16>(((bits & 15) << 1) | 1));
}

/** Writes 8 weights: two points and their signs by their addresses, times the scale. */
function storeEight(codes: usize, first: usize, second: usize, signs: usize, scale: v128): void {
  const points = i16x8.extend_low_i8x16_s(v128.load32_lane(second, v128.load32_zero(first), 1));
  v128.store(codes, i16x8.mul(i16x8.mul(points, v128.load8x8_s(signs)), scale));
}

/** Writes 8 weights of IQ3_XXS: the address of two indices, the offset of their signs. */
function storePoints(codes: usize, at: usize, signs: u32, scale: v128): void {
  const first = IQ3_XXS_GRID + (<usize>load<u8>(at) << 2);
  const second = IQ3_XXS_GRID + (<usize>load<u8>(at, 1) << 2);
  storeEight(codes, first, second, EVEN_SIGNS + signs, scale);
}

export function iq3_xxs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 98, scales += 8) {
    storeScale(scales, src, 0.25);
    let words = src + 66;
    for (let at = src + 2; at < src + 66; at += 8, codes += 64, words += 4) {
      const word = load<u32>(words);
      const scale = oddScale(word >> 28);
      storePoints(codes, at, (word << 3) & 0x3f8, scale);
      storePoints(codes + 16, at + 2, (word >> 4) & 0x3f8, scale);
      storePoints(codes + 32, at + 4, (word >> 11) & 0x3f8, scale);
      storePoints(codes + 48, at + 6, (word >> 18) & 0x3f8, scale);
    }
  }
}

/** Writes 8 weights of IQ3_S: the high bits of the indices come as bit 10 of two numbers. */
function storeHigh(codes: usize, at: usize, high0: u32, high1: u32, signs: u32, scale: v128): void {
  const first = IQ3_S_GRID + (<usize>load<u8>(at) << 2) + (high0 & 1024);
  const second = IQ3_S_GRID + (<usize>load<u8>(at, 1) << 2) + (high1 & 1024);
  storeEight(codes, first, second, FREE_SIGNS + (signs & 0x7f8), scale);
}

export function iq3_s_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 110, scales += 8) {
    storeScale(scales, src);
    let nibbles = load<u32>(src, 106);
    for (let k: usize = 0; k < 8; k++, codes += 64, nibbles >>= 4) {
      const at = src + 2 + (k << 3);
      const high = <u32>load<u8>(src + k, 66);
      const signs = load<u32>(src + (k << 2), 74);
      const scale = oddScale(nibbles);
      storeHigh(codes, at, high << 10, high << 9, signs << 3, scale);
      storeHigh(codes + 16, at + 2, high << 8, high << 7, signs >> 5, scale);
      storeHigh(codes + 32, at + 4, high << 6, high << 5, signs >> 13, scale);
      storeHigh(codes + 48, at + 6, high << 4, high << 3, signs >> 21, scale);
    }
  }
}
