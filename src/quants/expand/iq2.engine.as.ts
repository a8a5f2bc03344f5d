/**
 * IQ2_XXS, IQ2_XS and IQ2_S to their integer planes: c = (2 scale + 1) * point * sign and an eighth of the stored d;
 * |c| <= 31 * 43. Eight weights are one point of a grid.
 */
import { EVEN_SIGNS, FREE_SIGNS, IQ2_S_GRID, IQ2_XS_GRID, IQ2_XXS_GRID } from './grids.gen.as';
import { storeScale } from './pair.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i16x8.splat(<i16>(((bits & 15) << 1) | 1));
}

/** Writes 8 weights: a point and its signs by their addresses, times the scale. */
function storePoint(codes: usize, point: usize, signs: usize, scale: v128): void {
  const signed = i16x8.mul(v128.load8x8_s(point), v128.load8x8_s(signs));
  v128.store(codes, i16x8.mul(signed, scale));
}

export function iq2_xxs_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 66, scales += 8) {
    storeScale(scales, src, 0.125);
    for (let at = src + 2; at < src + 66; at += 8, codes += 64) {
      const points = load<u32>(at);
      const word = load<u32>(at, 4);
      const scale = oddScale(word >> 28);
      storePoint(codes, IQ2_XXS_GRID + ((points << 3) & 0x7f8), EVEN_SIGNS + ((word << 3) & 0x3f8), scale);
      storePoint(codes + 16, IQ2_XXS_GRID + ((points >> 5) & 0x7f8), EVEN_SIGNS + ((word >> 4) & 0x3f8), scale);
      storePoint(codes + 32, IQ2_XXS_GRID + ((points >> 13) & 0x7f8), EVEN_SIGNS + ((word >> 11) & 0x3f8), scale);
      storePoint(codes + 48, IQ2_XXS_GRID + ((points >> 21) & 0x7f8), EVEN_SIGNS + ((word >> 18) & 0x3f8), scale);
    }
  }
}

/** Writes 8 weights of a word of 9 bits for the point and 7 for the signs. */
function storeXs(codes: usize, word: u32, scale: v128): void {
  storePoint(codes, IQ2_XS_GRID + ((word << 3) & 0xff8), EVEN_SIGNS + ((word >> 6) & 0x3f8), scale);
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

export function iq2_s_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 82, scales += 8) {
    storeScale(scales, src, 0.125);
    for (let k: usize = 0; k < 8; k++, codes += 64) {
      const low = load<u32>(src + (k << 2), 2);
      const high = <u32>load<u8>(src + k, 66);
      const nibbles = <u32>load<u8>(src + k, 74);
      const signs = load<u32>(src + (k << 2), 34);
      const p0 = IQ2_S_GRID + (((low << 3) & 0x7f8) | ((high << 11) & 0x1800));
      const p1 = IQ2_S_GRID + (((low >> 5) & 0x7f8) | ((high << 9) & 0x1800));
      const p2 = IQ2_S_GRID + (((low >> 13) & 0x7f8) | ((high << 7) & 0x1800));
      const p3 = IQ2_S_GRID + (((low >> 21) & 0x7f8) | ((high << 5) & 0x1800));
      const first = oddScale(nibbles);
      const second = oddScale(nibbles >> 4);
      storePoint(codes, p0, FREE_SIGNS + ((signs << 3) & 0x7f8), first);
      storePoint(codes + 16, p1, FREE_SIGNS + ((signs >> 5) & 0x7f8), first);
      storePoint(codes + 32, p2, FREE_SIGNS + ((signs >> 13) & 0x7f8), second);
      storePoint(codes + 48, p3, FREE_SIGNS + ((signs >> 21) & 0x7f8), second);
    }
  }
}
