/**
 * One query row over f16 keys and values, which are converted on their way into the sums instead of tile by tile: where
 * no other row shares a tile, converting it through memory costs more than the arithmetic. `size` is a multiple of 8;
 * keys and values are finite.
 */
import { finiteHalves4 } from './cache-rows.as';

/** Scores of `n` keys, `bytes` apart: query [size] f32 times key. */
export function scoreHalves(query: usize, keys: usize, bytes: usize, n: i32, size: i32, scores: usize): void {
  for (let end = scores + (<usize>n << 2); scores < end; scores += 4, keys += bytes) {
    let even = f32x4.splat(0), odd = even;
    for (let q = query, at = keys, last = query + (<usize>size << 2); q < last; q += 32, at += 16) {
      even = f32x4.add(even, f32x4.mul(v128.load(q), finiteHalves4(v128.load16x4_s(at))));
      odd = f32x4.add(odd, f32x4.mul(v128.load(q, 16), finiteHalves4(v128.load16x4_s(at, 8))));
    }
    const four = f32x4.add(even, odd);
    const pair = f32x4.add(four, i64x2.shuffle(four, four, 1, 0));
    store<f32>(scores, f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1));
  }
}

/** Adds `n` values, `bytes` apart, by their weights to sums [size]. */
export function addHalves(weights: usize, values: usize, bytes: usize, n: i32, size: i32, sums: usize): void {
  let column = 0;
  for (; column + 24 <= size; column += 24, values += 48, sums += 96) add24(weights, values, bytes, n, sums);
  for (; column < size; column += 8, values += 16, sums += 32) add8(weights, values, bytes, n, sums);
}

function add24(weights: usize, values: usize, bytes: usize, n: i32, sums: usize): void {
  let s0 = v128.load(sums), s1 = v128.load(sums, 16), s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48), s4 = v128.load(sums, 64), s5 = v128.load(sums, 80);
  for (let end = weights + (<usize>n << 2); weights < end; weights += 4, values += bytes) {
    const weight = v128.load32_splat(weights);
    s0 = f32x4.add(s0, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values))));
    s1 = f32x4.add(s1, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 8))));
    s2 = f32x4.add(s2, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 16))));
    s3 = f32x4.add(s3, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 24))));
    s4 = f32x4.add(s4, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 32))));
    s5 = f32x4.add(s5, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 40))));
  }
  v128.store(sums, s0), v128.store(sums, s1, 16), v128.store(sums, s2, 32);
  v128.store(sums, s3, 48), v128.store(sums, s4, 64), v128.store(sums, s5, 80);
}

function add8(weights: usize, values: usize, bytes: usize, n: i32, sums: usize): void {
  let s0 = v128.load(sums), s1 = v128.load(sums, 16);
  for (let end = weights + (<usize>n << 2); weights < end; weights += 4, values += bytes) {
    const weight = v128.load32_splat(weights);
    s0 = f32x4.add(s0, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values))));
    s1 = f32x4.add(s1, f32x4.mul(weight, finiteHalves4(v128.load16x4_s(values, 8))));
  }
  v128.store(sums, s0), v128.store(sums, s1, 16);
}
