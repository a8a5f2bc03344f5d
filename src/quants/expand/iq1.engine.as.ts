/**
 * IQ1_S and IQ1_M to their integer planes: c = (2 scale + 1) * (8 * point +- 1) and an eighth of the stored d;
 * |c| <= 15 * 9. Eight weights are one ternary point.
 */
import { IQ1_GRID, IQ1_SHIFTS } from './grids.gen.as';
import { nibbleScale } from './nibble-scale.as';
import { storePair, storeScale } from './pair.as';

/** Writes 8 weights: the point at an offset in the grid, the shift and the scale. */
function storePoint(codes: usize, point: u32, shift: v128, scale: v128): void {
  v128.store(codes, i16x8.mul(i16x8.add(v128.load8x8_s(IQ1_GRID + point), shift), scale));
}

/** 2 scale + 1 of the lowest three bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i16x8.splat(<i16>(((bits & 7) << 1) | 1));
}

/** The shift: -1 where bit 4 is set, else 1. */
function shiftAt(bits: u32): v128 {
  return v128.load(IQ1_SHIFTS + (bits & 16));
}

export function iq1_s_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 50, scales += 8) {
    storeScale(scales, src, 0.125);
    let words = src + 34;
    for (let at = src + 2; at < src + 34; at += 4, codes += 64, words += 2) {
      const low = load<u32>(at);
      const high = <u32>load<u16>(words);
      const scale = oddScale(high >> 12);
      const shift = shiftAt(high >> 11);
      storePoint(codes, ((low << 3) & 0x7f8) | ((high << 11) & 0x3800), shift, scale);
      storePoint(codes + 16, ((low >> 5) & 0x7f8) | ((high << 8) & 0x3800), shift, scale);
      storePoint(codes + 32, ((low >> 13) & 0x7f8) | ((high << 5) & 0x3800), shift, scale);
      storePoint(codes + 48, ((low >> 21) & 0x7f8) | ((high << 2) & 0x3800), shift, scale);
    }
  }
}

export function iq1_m_expand(src: usize, blocks: i32, codes: usize, scales: usize, _mins: usize): void {
  for (; blocks > 0; blocks--, src += 56, scales += 8) {
    storePair(scales, nibbleScale(load<u64>(src, 48)) * 0.125, 0);
    for (let k: usize = 0; k < 8; k++, codes += 64) {
      const low = load<u32>(src + (k << 2));
      const high = <u32>load<u16>(src + (k << 1), 32);
      const factors = <u32>load<u16>(src + (k >> 1 << 1), 48) >> (6 * (<u32>k & 1));
      const first = oddScale(factors);
      const second = oddScale(factors >> 3);
      storePoint(codes, ((low << 3) & 0x7f8) | ((high << 11) & 0x3800), shiftAt(high << 1), first);
      storePoint(codes + 16, ((low >> 5) & 0x7f8) | ((high << 7) & 0x3800), shiftAt(high >> 3), first);
      storePoint(codes + 32, ((low >> 13) & 0x7f8) | ((high << 3) & 0x3800), shiftAt(high >> 7), second);
      storePoint(codes + 48, ((low >> 21) & 0x7f8) | ((high >> 1) & 0x3800), shiftAt(high >> 11), second);
    }
  }
}
