/** Rows of IQ1_S and IQ1_M blocks times one token, as single.as.ts says. */
import { f16ToF32 } from '../../../kernels/half.as';
import { IQ1_GRID, IQ1_SHIFTS } from '../../../quants/expand/grids.gen.as';
import { nibbleScale } from '../../../quants/expand/nibble-scale.as';
import { blockStep, STEP } from './single.as';

/** 8 weights: the point at an offset in the grid, and the shift of -1 or 1 in all lanes. */
function pointDot(point: u32, shift: v128, x: usize): v128 {
  return i32x4.dot_i16x8_s(i16x8.add(v128.load8x8_s(IQ1_GRID + point), shift), v128.load(x));
}

/** The shift: -1 where bit 4 is set, else 1. */
function shiftAt(bits: u32): v128 {
  return v128.load(IQ1_SHIFTS + (bits & 16));
}

/** 2 scale + 1 of the lowest three bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i32x4.splat(((bits & 7) << 1) | 1);
}

export function iq1_s_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 50, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    let words = src + 34;
    for (let at = src + 2; at < src + 34; at += 4, x += 64, words += 2) {
      const low = load<u32>(at);
      const high = <u32>load<u16>(words);
      const shift = shiftAt(high >> 11);
      const d0 = pointDot(((low << 3) & 0x7f8) | ((high << 11) & 0x3800), shift, x);
      const d1 = pointDot(((low >> 5) & 0x7f8) | ((high << 8) & 0x3800), shift, x + 16);
      const d2 = pointDot(((low >> 13) & 0x7f8) | ((high << 5) & 0x3800), shift, x + 32);
      const d3 = pointDot(((low >> 21) & 0x7f8) | ((high << 2) & 0x3800), shift, x + 48);
      const dot = i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(high >> 12)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}

export function iq1_m_row(src: usize, blocks: i32, record: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 56, record += STEP) {
    let total = i32x4.splat(0);
    let x = record;
    for (let k: usize = 0; k < 8; k++, x += 64) {
      const low = load<u32>(src + (k << 2));
      const high = <u32>load<u16>(src + (k << 1), 32);
      const factors = <u32>load<u16>(src + (k >> 1 << 1), 48) >> (6 * (<u32>k & 1));
      const d0 = pointDot(((low << 3) & 0x7f8) | ((high << 11) & 0x3800), shiftAt(high << 1), x);
      const d1 = pointDot(((low >> 5) & 0x7f8) | ((high << 7) & 0x3800), shiftAt(high >> 3), x + 16);
      const d2 = pointDot(((low >> 13) & 0x7f8) | ((high << 3) & 0x3800), shiftAt(high >> 7), x + 32);
      const d3 = pointDot(((low >> 21) & 0x7f8) | ((high >> 1) & 0x3800), shiftAt(high >> 11), x + 48);
      total = i32x4.add(total, i32x4.mul(i32x4.add(d0, d1), oddScale(factors)));
      total = i32x4.add(total, i32x4.mul(i32x4.add(d2, d3), oddScale(factors >> 3)));
    }
    sum += blockStep(record, nibbleScale(load<u64>(src, 48)) * 0.125, total);
  }
  return sum;
}
