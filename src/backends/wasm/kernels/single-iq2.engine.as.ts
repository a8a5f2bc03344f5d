/** One token times IQ2_XXS, IQ2_XS and IQ2_S weights: y[n] = sum over k of x[k] w[n, k]. */
import { f16ToF32 } from '../../../kernels/half.as';
import { EVEN_SIGNS, IQ2_S_GRID, IQ2_XS_GRID, IQ2_XXS_GRID } from '../../../quants/expand/grids.gen.as';
import { blockStep, dotSigned, ROWS } from './single.as';
import { claim } from './work.as';

/** 8 weights: a point at an address, the offset of its signs. */
function pointDot(point: usize, signs: u32, x: usize): v128 {
  const signed = i16x8.mul(v128.load8x8_s(point), v128.load8x8_s(EVEN_SIGNS + signs));
  return i32x4.dot_i16x8_s(signed, v128.load(x));
}

/** 2 scale + 1 of the lowest four bits, in all lanes. */
function oddScale(bits: u32): v128 {
  return i32x4.splat(((bits & 15) << 1) | 1);
}

function iq2_xxs_row(src: usize, blocks: i32, record: usize, step: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 66, record += step) {
    let total = i32x4.splat(0);
    let x = record;
    for (let at = src + 2; at < src + 66; at += 8, x += 64) {
      const points = load<u32>(at);
      const word = load<u32>(at, 4);
      const d0 = pointDot(IQ2_XXS_GRID + ((points << 3) & 0x7f8), (word << 3) & 0x3f8, x);
      const d1 = pointDot(IQ2_XXS_GRID + ((points >> 5) & 0x7f8), (word >> 4) & 0x3f8, x + 16);
      const d2 = pointDot(IQ2_XXS_GRID + ((points >> 13) & 0x7f8), (word >> 11) & 0x3f8, x + 32);
      const d3 = pointDot(IQ2_XXS_GRID + ((points >> 21) & 0x7f8), (word >> 18) & 0x3f8, x + 48);
      const dot = i32x4.add(i32x4.add(d0, d1), i32x4.add(d2, d3));
      total = i32x4.add(total, i32x4.mul(dot, oddScale(word >> 28)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}

export function iq2_xxs_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, record: usize, step: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const rowBytes = <usize>blocks * 66;
  for (let first = claim(counter) * ROWS; first < rows; first = claim(counter) * ROWS) {
    for (let row = first; row < min(rows, first + ROWS); row++) {
      store<f32>(y + (<usize>row << 2), iq2_xxs_row(weights + <usize>row * rowBytes, blocks, record, step));
    }
  }
}

/** 8 weights of a word of 9 bits for the point and 7 for the signs. */
function wordDot(word: u32, x: usize): v128 {
  return pointDot(IQ2_XS_GRID + ((word << 3) & 0xff8), (word >> 6) & 0x3f8, x);
}

function iq2_xs_row(src: usize, blocks: i32, record: usize, step: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 74, record += step) {
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

export function iq2_xs_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, record: usize, step: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const rowBytes = <usize>blocks * 74;
  for (let first = claim(counter) * ROWS; first < rows; first = claim(counter) * ROWS) {
    for (let row = first; row < min(rows, first + ROWS); row++) {
      store<f32>(y + (<usize>row << 2), iq2_xs_row(weights + <usize>row * rowBytes, blocks, record, step));
    }
  }
}

/** 16 weights: two points with a sign bit each weight, in `signs` eight times the first byte, then the second. */
function freeDot(first: u32, second: u32, signs: v128, x: usize): v128 {
  const bits = i64x2.splat(0x8040201008040201);
  const minus = i8x16.eq(v128.and(signs, bits), bits);
  const points = v128.load64_lane(IQ2_S_GRID + second, v128.load64_zero(IQ2_S_GRID + first), 1);
  return dotSigned(i8x16.sub(v128.xor(points, minus), minus), x);
}

function iq2_s_row(src: usize, blocks: i32, record: usize, step: usize): f32 {
  let sum: f32 = 0;
  for (; blocks > 0; blocks--, src += 82, record += step) {
    let total = i32x4.splat(0);
    let x = record;
    for (let k: usize = 0; k < 8; k++, x += 64) {
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
      total = i32x4.add(total, i32x4.mul(freeDot(p0, p1, first, x), oddScale(nibbles)));
      total = i32x4.add(total, i32x4.mul(freeDot(p2, p3, second, x + 32), oddScale(nibbles >> 4)));
    }
    sum += blockStep(record, f16ToF32(load<u16>(src)) * 0.125, total);
  }
  return sum;
}

export function iq2_s_single(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, record: usize, step: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const rowBytes = <usize>blocks * 82;
  for (let first = claim(counter) * ROWS; first < rows; first = claim(counter) * ROWS) {
    for (let row = first; row < min(rows, first + ROWS); row++) {
      store<f32>(y + (<usize>row << 2), iq2_s_row(weights + <usize>row * rowBytes, blocks, record, step));
    }
  }
}
