/** One token times IQ3_XXS and IQ3_S weights: y[n] = sum over k of x[k] w[n, k]. */
import { f16ToF32 } from '../../../kernels/half.as';
import { EVEN_SIGNS, IQ3_S_GRID, IQ3_XXS_GRID } from '../../../quants/expand/grids.gen.as';
import { blockStep, dotSigned, ROWS } from './single.as';
import { claim } from './work.as';

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i32x4.splat(((bits & 15) << 1) | 1);
}

/** 8 weights: the points of two indices, the offset of their signs. */
function pairDot(points: usize, signs: u32, x: usize): v128 {
  const first = v128.load32_zero(IQ3_XXS_GRID + (<usize>load<u8>(points) << 2));
  const both = v128.load32_lane(IQ3_XXS_GRID + (<usize>load<u8>(points, 1) << 2), first, 1);
  const signed = i16x8.mul(i16x8.extend_low_i8x16_s(both), v128.load8x8_s(EVEN_SIGNS + signs));
  return i32x4.dot_i16x8_s(signed, v128.load(x));
}

function iq3_xxs_row(src: usize, blocks: i32, record: usize, step: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 98, record += step) {
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

export function iq3_xxs_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, record: usize, step: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const rowBytes = <usize>blocks * 98;
  for (let first = claim(counter) * ROWS; first < rows; first = claim(counter) * ROWS) {
    for (let row = first; row < min(rows, first + ROWS); row++) {
      store<f32>(y + (<usize>row << 2), iq3_xxs_row(weights + <usize>row * rowBytes, blocks, record, step));
    }
  }
}

/** Address of the point of an index: the byte at `at`, and bit 8 of `high`. */
function pointAddress(at: usize, high: u32): usize {
  return IQ3_S_GRID + ((<usize>load<u8>(at) | (high & 256)) << 2);
}

/** 16 weights: four points whose high index bits are the lowest of `high`, and their signs as in IQ2_S. */
function freeDot(at: usize, high: u32, signs: v128, x: usize): v128 {
  const bits = i64x2.splat(0x8040201008040201);
  const minus = i8x16.eq(v128.and(signs, bits), bits);
  const p0 = v128.load32_lane(pointAddress(at + 1, high << 7), v128.load32_zero(pointAddress(at, high << 8)), 1);
  const p1 = v128.load32_lane(pointAddress(at + 3, high << 5), v128.load32_zero(pointAddress(at + 2, high << 6)), 1);
  const points = v128.shuffle<i64>(p0, p1, 0, 2);
  return dotSigned(i8x16.sub(v128.xor(points, minus), minus), x);
}

function iq3_s_row(src: usize, blocks: i32, record: usize, step: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 110, record += step) {
    let nibbles = load<u32>(src, 106);
    let total = i32x4.splat(0);
    let x = record;
    for (let k: usize = 0; k < 8; k++, x += 64, nibbles >>= 4) {
      const at = src + 2 + (k << 3);
      const high = <u32>load<u8>(src + k, 66);
      const signs = v128.load32_splat(src + (k << 2), 74);
      const first = i8x16.shuffle(signs, signs, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
      const second = i8x16.shuffle(signs, signs, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
      const dot = i32x4.add(freeDot(at, high, first, x), freeDot(at + 4, high >> 4, second, x + 32));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(nibbles)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)), total);
  }
  return sum;
}

export function iq3_s_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, record: usize, step: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const rowBytes = <usize>blocks * 110;
  for (let first = claim(counter) * ROWS; first < rows; first = claim(counter) * ROWS) {
    for (let row = first; row < min(rows, first + ROWS); row++) {
      store<f32>(y + (<usize>row << 2), iq3_s_row(weights + <usize>row * rowBytes, blocks, record, step));
    }
  }
}
