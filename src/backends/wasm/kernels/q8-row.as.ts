/**
 * One query row over q8_0 keys and values, as half-row.as.ts does it over f16. `size` is a multiple of 32, and heads
 * begin with a block.
 */
import { f16ToF32 } from '../../../kernels/half.as';
import { Q8_BLOCK, Q8_BYTES } from './cache-types.as';

/** Products of eight f32 with eight codes, added in pairs of four. */
function dot8(query: usize, codes: usize): v128 {
  const wide = v128.load8x8_s(codes);
  const low = f32x4.mul(v128.load(query), f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide)));
  return f32x4.add(low, f32x4.mul(v128.load(query, 16), f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide))));
}

/** Scores of `n` keys, `bytes` apart: query [size] f32 times key. */
export function scoreBlocks(query: usize, keys: usize, bytes: usize, n: i32, size: i32, scores: usize): void {
  for (let end = scores + (<usize>n << 2); scores < end; scores += 4, keys += bytes) {
    let sum = f32x4.splat(0);
    for (let q = query, block = keys, last = query + (<usize>size << 2); q < last; q += 128, block += Q8_BYTES) {
      const first = f32x4.add(dot8(q, block + 2), dot8(q + 32, block + 10));
      const second = f32x4.add(dot8(q + 64, block + 18), dot8(q + 96, block + 26));
      const d = f32x4.splat(f16ToF32(load<u16>(block)));
      sum = f32x4.add(sum, f32x4.mul(f32x4.add(first, second), d));
    }
    const pair = f32x4.add(sum, i64x2.shuffle(sum, sum, 1, 0));
    store<f32>(scores, f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1));
  }
}

/** Adds `n` values, `bytes` apart, by their weights to sums [size]. */
export function addBlocks(weights: usize, values: usize, bytes: usize, n: i32, size: i32, sums: usize): void {
  for (let column = 0; column < size; column += Q8_BLOCK, values += Q8_BYTES, sums += 128) {
    addBlock(weights, values, bytes, n, sums);
  }
}

function low4(wide: v128, factor: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide)), factor);
}

function high4(wide: v128, factor: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide)), factor);
}

/** One block's columns of all values. */
function addBlock(weights: usize, block: usize, bytes: usize, n: i32, sums: usize): void {
  let s0 = v128.load(sums), s1 = v128.load(sums, 16), s2 = v128.load(sums, 32), s3 = v128.load(sums, 48);
  let s4 = v128.load(sums, 64), s5 = v128.load(sums, 80), s6 = v128.load(sums, 96), s7 = v128.load(sums, 112);
  for (let end = weights + (<usize>n << 2); weights < end; weights += 4, block += bytes) {
    const factor = f32x4.splat(load<f32>(weights) * f16ToF32(load<u16>(block)));
    let wide = v128.load8x8_s(block, 2);
    s0 = f32x4.add(s0, low4(wide, factor));
    s1 = f32x4.add(s1, high4(wide, factor));
    wide = v128.load8x8_s(block, 10);
    s2 = f32x4.add(s2, low4(wide, factor));
    s3 = f32x4.add(s3, high4(wide, factor));
    wide = v128.load8x8_s(block, 18);
    s4 = f32x4.add(s4, low4(wide, factor));
    s5 = f32x4.add(s5, high4(wide, factor));
    wide = v128.load8x8_s(block, 26);
    s6 = f32x4.add(s6, low4(wide, factor));
    s7 = f32x4.add(s7, high4(wide, factor));
  }
  v128.store(sums, s0), v128.store(sums, s1, 16), v128.store(sums, s2, 32), v128.store(sums, s3, 48);
  v128.store(sums, s4, 64), v128.store(sums, s5, 80), v128.store(sums, s6, 96), v128.store(sums, s7, 112);
}
