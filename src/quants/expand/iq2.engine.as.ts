/**
 * IQ2_XXS, IQ2_XS and IQ2_S to their integer planes: c = (2 scale + 1) * point * sign and an eighth of the stored d;
 * |c| <= 31 * 43. Eight weights are one point of a grid.
 */
import { EVEN_SIGNS, IQ2_S_GRID, IQ2_XS_GRID, IQ2_XXS_GRID } from './grids.gen.as';
import { storeScale, storeScaled } from './pair.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i16x8.splat(<i16>(((bits & 15) << 1) | 1));
}

/** Writes 8 weights: a point times signs, by the offsets of their bytes in the tables, times the scale. */
function storePoint(codes: usize, point: usize, signs: u32, scale: v128): void {
  const signed = i16x8.mul(v128.load8x8_s(point), v128.load8x8_s(EVEN_SIGNS + signs));
  v128.store(codes, i16x8.mul(signed, scale));
}

export function iq2_xxs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 66, scales += 8) {
    storeScale(scales, src, 0.125);
    for (let at = src + 2; at < src + 66; at += 8, codes += 64) {
      const points = load<u32>(at);
      const word = load<u32>(at, 4);
      const scale = oddScale(word >> 28);
      storePoint(codes, IQ2_XXS_GRID + ((points << 3) & 0x7f8), (word << 3) & 0x3f8, scale);
      storePoint(codes + 16, IQ2_XXS_GRID + ((points >> 5) & 0x7f8), (word >> 4) & 0x3f8, scale);
      storePoint(codes + 32, IQ2_XXS_GRID + ((points >> 13) & 0x7f8), (word >> 11) & 0x3f8, scale);
      storePoint(codes + 48, IQ2_XXS_GRID + ((points >> 21) & 0x7f8), (word >> 18) & 0x3f8, scale);
    }
  }
}

/** Writes 8 weights of a word of 9 bits for the point and 7 for the signs. */
function storeXs(codes: usize, word: u32, scale: v128): void {
  storePoint(codes, IQ2_XS_GRID + ((word << 3) & 0xff8), (word >> 6) & 0x3f8, scale);
}

export function iq2_xs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 74, scales += 8) {
    storeScale(scales, src, 0.125);
    let packed = src + 66;
    for (let at = src + 2; at < src + 66; at += 8, codes += 64, packed++) {
      const nibbles = <u32>load<u8>(packed);
      const low = oddScale(nibbles);
      const high = oddScale(nibbles >> 4);
      storeXs(codes, load<u16>(at), low);
      storeXs(codes + 16, load<u16>(at, 2), low);
      storeXs(codes + 32, load<u16>(at, 4), high);
      storeXs(codes + 48, load<u16>(at, 6), high);
    }
  }
}

/** Writes 16 weights: two points with a sign bit each weight, in `signs` eight times the first byte, then the second. */
function storeFree(codes: usize, first: u32, second: u32, signs: v128, scale: v128): void {
  const bits = i64x2.splat(0x8040201008040201);
  const minus = i8x16.eq(v128.and(signs, bits), bits);
  const points = v128.load64_lane(IQ2_S_GRID + second, v128.load64_zero(IQ2_S_GRID + first), 1);
  storeScaled(codes, i8x16.sub(v128.xor(points, minus), minus), scale);
}

export function iq2_s_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 82, scales += 8) {
    storeScale(scales, src, 0.125);
    for (let k: usize = 0; k < 8; k++, codes += 64) {
      const low = load<u32>(src + (k << 2), 2);
      const high = <u32>load<u8>(src + k, 66);
      const nibbles = <u32>load<u8>(src + k, 74);
      const signs = v128.load32_splat(src + (k << 2), 34);
      const p0 = ((low << 3) & 0x7f8) | ((high << 11) & 0x1800);
      const p1 = ((low >> 5) & 0x7f8) | ((high << 9) & 0x1800);
      const p2 = ((low >> 13) & 0x7f8) | ((high << 7) & 0x1800);
      const p3 = ((low >> 21) & 0x7f8) | ((high << 5) & 0x1800);
      const first = i8x16.shuffle(signs, signs, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
      const second = i8x16.shuffle(signs, signs, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
      storeFree(codes, p0, p1, first, oddScale(nibbles));
      storeFree(codes + 32, p2, p3, second, oddScale(nibbles >> 4));
    }
  }
}
