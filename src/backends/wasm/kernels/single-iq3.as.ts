/** Rows of IQ3_XXS and IQ3_S blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { EVEN_SIGNS, FREE_SIGNS, IQ3_S_GRID, IQ3_XXS_GRID } from '../../../quants/expand/grids.gen.as';
import { blockStep, STEP } from './single.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i32x4.splat(((bits & 15) << 1) | 1);
}

/** 8 weights: two points and their signs by their addresses. */
function eightDot(first: usize, second: usize, signs: usize, x: usize): v128 {
  const points = i16x8.extend_low_i8x16_s(v128.load32_lane(second, v128.load32_zero(first), 1));
  return i32x4.dot_i16x8_s(i16x8.mul(points, v128.load8x8_s(signs)), v128.load(x));
}

/** 8 weights of IQ3_XXS: the address of two indices, the offset of their signs. */
function pairDot(at: usize, signs: u32, x: usize): v128 {
  const first = IQ3_XXS_GRID + (<usize>load<u8>(at) << 2);
  const second = IQ3_XXS_GRID + (<usize>load<u8>(at, 1) << 2);
  return eightDot(first, second, EVEN_SIGNS + signs, x);
}

export function iq3_xxs_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 98, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    let words = src + 66;
    for (let at = src + 2; at < src + 66; at += 8, x += 64, words += 4) {
      const word = load<u32>(words);
      const d0 = pairDot(at, (word << 3) & 0x3f8, x);
      const d1 = pairDot(at + 2, (word >> 4) & 0x3f8, x + 16);
      const d2 = pairDot(at + 4, (word >> 11) & 0x3f8, x + 32);
      const d3 = pairDot(at + 6, (word >> 18) & 0x3f8, x + 48);
      const dot = i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(word >> 28)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.25, total);
  }
  return sum;
}

/** 8 weights of IQ3_S: the high bits of the indices come as bit 10 of two numbers. */
function highDot(at: usize, high0: u32, high1: u32, signs: u32, x: usize): v128 {
  const first = IQ3_S_GRID + (<usize>load<u8>(at) << 2) + (high0 & 1024);
  const second = IQ3_S_GRID + (<usize>load<u8>(at, 1) << 2) + (high1 & 1024);
  return eightDot(first, second, FREE_SIGNS + (signs & 0x7f8), x);
}

export function iq3_s_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 110, record += STEP) {
    let nibbles = load<u32>(src, 106);
    let total = i32x4.splat(0);
    let x = record;
    for (let k: usize = 0; k < 8; k++, x += 64, nibbles >>= 4) {
      const at = src + 2 + (k << 3);
      const high = <u32>load<u8>(src + k, 66);
      const signs = load<u32>(src + (k << 2), 74);
      const d0 = highDot(at, high << 10, high << 9, signs << 3, x);
      const d1 = highDot(at + 2, high << 8, high << 7, signs >> 5, x + 16);
      const d2 = highDot(at + 4, high << 6, high << 5, signs >> 13, x + 32);
      const d3 = highDot(at + 6, high << 4, high << 3, signs >> 21, x + 48);
      const dot = i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(nibbles)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)), total);
  }
  return sum;
}
