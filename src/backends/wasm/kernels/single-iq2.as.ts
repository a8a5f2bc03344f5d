/** Rows of IQ2_XXS, IQ2_XS and IQ2_S blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { EVEN_SIGNS, FREE_SIGNS, IQ2_S_GRID, IQ2_XS_GRID, IQ2_XXS_GRID } from '../../../quants/expand/grids.gen.as';
import { blockStep, STEP } from './single.as';

/** 8 weights: a point and its signs by their addresses. */
function pointDot(point: usize, signs: usize, x: usize): v128 {
  const signed = i16x8.mul(v128.load8x8_s(point), v128.load8x8_s(signs));
  return i32x4.dot_i16x8_s(signed, v128.load(x));
}

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i32x4.splat(((bits & 15) << 1) | 1);
}

export function iq2_xxs_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 66, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    for (let at = src + 2; at < src + 66; at += 8, x += 64) {
      const points = load<u32>(at);
      const word = load<u32>(at, 4);
      const d0 = pointDot(IQ2_XXS_GRID + ((points << 3) & 0x7f8), EVEN_SIGNS + ((word << 3) & 0x3f8), x);
      const d1 = pointDot(IQ2_XXS_GRID + ((points >> 5) & 0x7f8), EVEN_SIGNS + ((word >> 4) & 0x3f8), x + 16);
      const d2 = pointDot(IQ2_XXS_GRID + ((points >> 13) & 0x7f8), EVEN_SIGNS + ((word >> 11) & 0x3f8), x + 32);
      const d3 = pointDot(IQ2_XXS_GRID + ((points >> 21) & 0x7f8), EVEN_SIGNS + ((word >> 18) & 0x3f8), x + 48);
      const dot = i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(word >> 28)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}

/** 8 weights of a word of 9 bits for the point and 7 for the signs. */
function wordDot(word: u32, x: usize): v128 {
  return pointDot(IQ2_XS_GRID + ((word << 3) & 0xff8), EVEN_SIGNS + ((word >> 6) & 0x3f8), x);
}

export function iq2_xs_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 74, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    let packed = src + 66;
    for (let at = src + 2; at < src + 66; at += 8, x += 64, packed++) {
      const nibbles = <u32>load<u8>(packed);
      const low = i32x4.add(wordDot(load<u16>(at), x), wordDot(load<u16>(at, 2), x + 16));
      const high = i32x4.add(wordDot(load<u16>(at, 4), x + 32), wordDot(load<u16>(at, 6), x + 48));
      total = i32x4.add(total, i32x4.mul(low, oddScale(nibbles)));
      total = i32x4.add(total, i32x4.mul(high, oddScale(nibbles >> 4)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}

export function iq2_s_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 82, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    for (let k: usize = 0; k < 8; k++, x += 64) {
      const low = load<u32>(src + (k << 2), 2);
      const high = <u32>load<u8>(src + k, 66);
      const nibbles = <u32>load<u8>(src + k, 74);
      const signs = load<u32>(src + (k << 2), 34);
      const p0 = IQ2_S_GRID + (((low << 3) & 0x7f8) | ((high << 11) & 0x1800));
      const p1 = IQ2_S_GRID + (((low >> 5) & 0x7f8) | ((high << 9) & 0x1800));
      const p2 = IQ2_S_GRID + (((low >> 13) & 0x7f8) | ((high << 7) & 0x1800));
      const p3 = IQ2_S_GRID + (((low >> 21) & 0x7f8) | ((high << 5) & 0x1800));
      const d0 = pointDot(p0, FREE_SIGNS + ((signs << 3) & 0x7f8), x);
      const d1 = pointDot(p1, FREE_SIGNS + ((signs >> 5) & 0x7f8), x + 16);
      const d2 = pointDot(p2, FREE_SIGNS + ((signs >> 13) & 0x7f8), x + 32);
      const d3 = pointDot(p3, FREE_SIGNS + ((signs >> 21) & 0x7f8), x + 48);
      total = i32x4.add(total, i32x4.mul(i32x4.add(d0, d1), oddScale(nibbles)));
      total = i32x4.add(total, i32x4.mul(i32x4.add(d2, d3), oddScale(nibbles >> 4)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}
