/**
 * Grids of values and the weights of one block: the inner loop of symmetric.as.ts. A block's weights are copied
 * into scratch once; after that eight candidate scales are tried at a time, one per lane, and every candidate
 * is one pass over the weights that yields A = sum w x q and B = sum w q q of its rounded values q.
 */
import { NO_IMPORTANCE, NOTHING, SYMMETRIC_FLOOR, SYMMETRIC_LIMIT } from './tuning.as';

/** Grids: integers lo..hi; the 16 values of IQ4_NL; doubled FP4 values. */
export const UNIFORM: i32 = 0;
export const IQ4: i32 = 1;
export const FP4: i32 = 2;

const X: usize = memory.data(1024, 16);
const WX: usize = memory.data(1024, 16);
const W: usize = memory.data(1024, 16);
export const LANES: usize = memory.data(64, 16);
const IQ4_TABLE: usize = memory.data<i8>(
  [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
  16,
);
/**
 * Rounding to that table, for t + 128 in 32 buckets of 8: the index below the bucket's midpoint between two
 * values, and where in the bucket that midpoint lies, in halves (16: the bucket has none).
 */
const IQ4_INDEX: usize = memory.data<i8>(
  [0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 8, 9, 9, 10, 11, 11, 12, 12, 13, 13, 14, 14, 14, 15, 15, 15],
  16,
);
const IQ4_MIDPOINT: usize = memory.data<i8>(
  [16, 9, 16, 16, 5, 16, 12, 16, 14, 16, 12, 16, 7, 16, 0, 7, 14, 16, 6, 15, 16, 11, 16, 10, 16, 14, 16, 16, 10, 16, 16, 16],
  16,
);

/** The codes last written, one byte each: counted from the lowest value, or as the table's codes. */
export const CODES: usize = memory.data(256, 16);

let kind: i32 = UNIFORM;
export let low: f32 = 0;
export let high: f32 = 0;
export let a0: v128 = f32x4.splat(0);
export let b0: v128 = f32x4.splat(0);
export let a1: v128 = f32x4.splat(0);
export let b1: v128 = f32x4.splat(0);

/** Chooses the grid of all following calls. */
export function setGrid(grid: i32, lowest: f32, highest: f32): void {
  kind = grid;
  low = lowest;
  high = highest;
}

/** Factor for the importance of `n` columns: 1 / largest; 0 where they say nothing (all zero, not finite). */
function importanceFactor(importance: usize, n: i32): f32 {
  if (importance == 0) return 0;
  let most = f32x4.splat(0);
  let good = i32x4.splat(-1);
  for (let i: usize = 0; i < <usize>n << 2; i += 16) {
    const w = v128.load(importance + i);
    most = f32x4.pmax(most, w);
    good = v128.and(good, v128.and(f32x4.ge(w, f32x4.splat(0)), f32x4.le(w, f32x4.splat(3e38))));
  }
  if (!i32x4.all_true(good)) return 0;
  const largest: f32 = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  return largest > <f32>NO_IMPORTANCE ? <f32>1 / largest : 0;
}

/**
 * Copies `n` weights times `unit`, cleaned, and their importance into scratch. Returns false where all are
 * nothing.
 */
export function prepare(src: usize, importance: usize, n: i32, unit: f32 = 1): bool {
  const factor = f32x4.splat(importanceFactor(importance, n));
  const weighted = f32x4.extract_lane(factor, 0) > 0;
  let most = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>n << 2; i += 16) {
    let x = v128.load(src + i);
    x = f32x4.mul(v128.and(x, f32x4.eq(x, x)), f32x4.splat(unit));
    x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-<f32>SYMMETRIC_LIMIT)), f32x4.splat(<f32>SYMMETRIC_LIMIT));
    let w = f32x4.splat(1);
    if (weighted) w = f32x4.add(f32x4.mul(v128.load(importance + i), factor), f32x4.splat(<f32>SYMMETRIC_FLOOR));
    v128.store(X + i, x);
    v128.store(W + i, w);
    v128.store(WX + i, f32x4.mul(w, x));
    most = f32x4.pmax(most, f32x4.abs(x));
  }
  return v128.any_true(f32x4.gt(most, f32x4.splat(<f32>NOTHING)));
}

/** The weight of largest magnitude, with its sign. */
export function extreme(first: i32, n: i32): f32 {
  let least = v128.load(X + (<usize>first << 2));
  let most = least;
  for (let i: usize = <usize>first << 2; i < <usize>(first + n) << 2; i += 16) {
    least = f32x4.pmin(least, v128.load(X + i));
    most = f32x4.pmax(most, v128.load(X + i));
  }
  const bottom: f32 = min(
    min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)),
    min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)),
  );
  const top: f32 = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  return -bottom > top ? bottom : top;
}

/** A and B of eight inverse scales over weights first .. first + n, into a0, b0, a1, b1. */
export function evaluate(first: i32, n: i32, inverse0: v128, inverse1: v128): void {
  if (kind == UNIFORM) return evaluateUniform(first, n, inverse0, inverse1);
  if (kind == IQ4) evaluateIq4(first, n, inverse1);
  else evaluateFp4(first, n, inverse1);
  a1 = a0;
  b1 = b0;
  if (kind == IQ4) evaluateIq4(first, n, inverse0);
  else evaluateFp4(first, n, inverse0);
}

function evaluateUniform(first: i32, n: i32, inverse0: v128, inverse1: v128): void {
  const bottom = f32x4.splat(low);
  const top = f32x4.splat(high);
  let p0 = f32x4.splat(0);
  let q0 = f32x4.splat(0);
  let p1 = f32x4.splat(0);
  let q1 = f32x4.splat(0);
  for (let i: usize = <usize>first << 2; i < <usize>(first + n) << 2; i += 4) {
    const x = v128.load32_splat(X + i);
    const wx = v128.load32_splat(WX + i);
    const w = v128.load32_splat(W + i);
    const c0 = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.mul(x, inverse0)), bottom), top);
    p0 = f32x4.add(p0, f32x4.mul(wx, c0));
    q0 = f32x4.add(q0, f32x4.mul(f32x4.mul(w, c0), c0));
    const c1 = f32x4.pmin(f32x4.pmax(f32x4.nearest(f32x4.mul(x, inverse1)), bottom), top);
    p1 = f32x4.add(p1, f32x4.mul(wx, c1));
    q1 = f32x4.add(q1, f32x4.mul(f32x4.mul(w, c1), c1));
  }
  a0 = p0;
  b0 = q0;
  a1 = p1;
  b1 = q1;
}

/** floor(2 x / s) + 256 as integers 0..511, from twice the inverse of s. */
function halves(x: v128, twice: v128): v128 {
  const t = f32x4.pmin(f32x4.pmax(f32x4.mul(x, twice), f32x4.splat(-256)), f32x4.splat(255));
  const shifted = f32x4.add(f32x4.floor(t), f32x4.splat(12583168)); // 1.5 * 2^23 + 256: integers in the low bits
  return i32x4.sub(shifted, i32x4.splat(0x4b400000));
}

/** Values of a table of 32 bytes at indices 0..31. */
function lookUp(table: usize, index: v128): v128 {
  const lower = i8x16.swizzle(v128.load(table), index);
  return v128.or(lower, i8x16.swizzle(v128.load(table, 16), i8x16.sub(index, i8x16.splat(16))));
}

/** Indices 0..15 in the table of IQ4_NL of sixteen `halves`. */
function iq4Index(h0: v128, h1: v128, h2: v128, h3: v128): v128 {
  const lower = i16x8.narrow_i32x4_s(h0, h1);
  const upper = i16x8.narrow_i32x4_s(h2, h3);
  const bucket = i8x16.narrow_i16x8_u(i16x8.shr_u(lower, 4), i16x8.shr_u(upper, 4));
  const within = i16x8.splat(15);
  const rest = i8x16.narrow_i16x8_u(v128.and(lower, within), v128.and(upper, within));
  return i8x16.sub(lookUp(IQ4_INDEX, bucket), i8x16.ge_s(rest, lookUp(IQ4_MIDPOINT, bucket)));
}

function evaluateIq4(first: i32, n: i32, inverse: v128): void {
  const table = v128.load(IQ4_TABLE);
  const twice = f32x4.add(inverse, inverse);
  let p = f32x4.splat(0);
  let q = f32x4.splat(0);
  for (let i: usize = <usize>first << 2; i < <usize>(first + n) << 2; i += 16) {
    const index = iq4Index(
      halves(v128.load32_splat(X + i), twice),
      halves(v128.load32_splat(X + i, 4), twice),
      halves(v128.load32_splat(X + i, 8), twice),
      halves(v128.load32_splat(X + i, 12), twice),
    );
    const values = i8x16.swizzle(table, index);
    const lower = i16x8.extend_low_i8x16_s(values);
    const upper = i16x8.extend_high_i8x16_s(values);
    const c0 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(lower));
    const c1 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(lower));
    const c2 = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(upper));
    const c3 = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(upper));
    p = f32x4.add(p, f32x4.add(
      f32x4.add(f32x4.mul(v128.load32_splat(WX + i), c0), f32x4.mul(v128.load32_splat(WX + i, 4), c1)),
      f32x4.add(f32x4.mul(v128.load32_splat(WX + i, 8), c2), f32x4.mul(v128.load32_splat(WX + i, 12), c3)),
    ));
    q = f32x4.add(q, f32x4.add(
      f32x4.add(square(v128.load32_splat(W + i), c0), square(v128.load32_splat(W + i, 4), c1)),
      f32x4.add(square(v128.load32_splat(W + i, 8), c2), square(v128.load32_splat(W + i, 12), c3)),
    ));
  }
  a0 = p;
  b0 = q;
}

function square(w: v128, c: v128): v128 {
  return f32x4.mul(f32x4.mul(w, c), c);
}

/** The doubled FP4 value nearest to t: steps of 1 up to 4, of 2 up to 8, then 12. */
function fp4Value(t: v128): v128 {
  const size = f32x4.pmin(f32x4.abs(t), f32x4.splat(12));
  const two = f32x4.splat(2);
  const four = f32x4.splat(4);
  const fine = f32x4.nearest(size);
  const middle = f32x4.mul(two, f32x4.nearest(f32x4.mul(size, f32x4.splat(0.5))));
  const coarse = f32x4.mul(four, f32x4.nearest(f32x4.mul(size, f32x4.splat(0.25))));
  let value = v128.bitselect(middle, fine, f32x4.gt(size, four));
  value = v128.bitselect(coarse, value, f32x4.gt(size, f32x4.splat(8)));
  return v128.or(value, v128.and(t, i32x4.splat(0x80000000)));
}

/** As `evaluate`, for the doubled FP4 values and four scales by their inverses: sums to a0, b0. */
export function evaluateFp4(first: i32, n: i32, inverse: v128): void {
  let p = f32x4.splat(0);
  let q = f32x4.splat(0);
  for (let i: usize = <usize>first << 2; i < <usize>(first + n) << 2; i += 4) {
    const c = fp4Value(f32x4.mul(v128.load32_splat(X + i), inverse));
    p = f32x4.add(p, f32x4.mul(v128.load32_splat(WX + i), c));
    q = f32x4.add(q, square(v128.load32_splat(W + i), c));
  }
  a0 = p;
  b0 = q;
}

/** 1 / s, and 0 where s is 0. */
export function invert(s: v128): v128 {
  return v128.andnot(f32x4.div(f32x4.splat(1), s), f32x4.eq(s, f32x4.splat(0)));
}

/** Lane with the greatest value; the first of equals. */
export function greatestLane(values: v128): usize {
  v128.store(LANES, values);
  let lane: usize = 0;
  for (let k: usize = 1; k < 4; k++) if (load<f32>(LANES + (k << 2)) > load<f32>(LANES + (lane << 2))) lane = k;
  return lane;
}

/** Value of a lane that is known only at run time. */
export function laneOf(values: v128, lane: usize): f32 {
  v128.store(LANES, values);
  return load<f32>(LANES + (lane << 2));
}

/** Importance-weighted mean magnitude of the prepared weights: the scale of signs. */
export function meanMagnitude(n: i32): f32 {
  let sum = f32x4.splat(0);
  let weight = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>n << 2; i += 16) {
    sum = f32x4.add(sum, f32x4.abs(v128.load(WX + i)));
    weight = f32x4.add(weight, v128.load(W + i));
  }
  return total(sum) / total(weight);
}

function total(values: v128): f32 {
  const pairs = f32x4.add(values, i8x16.shuffle(values, values, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Integers of four whole f32 below 2^22 in magnitude. */
function toIntegers(values: v128): v128 {
  return i32x4.sub(f32x4.add(values, f32x4.splat(12582912)), i32x4.splat(0x4b400000));
}

/** Codes of four weights at an inverse scale, as i32. */
function codesOf(x: v128, inverse: v128): v128 {
  const t = f32x4.mul(x, inverse);
  const clamped = f32x4.pmin(f32x4.pmax(f32x4.nearest(t), f32x4.splat(low)), f32x4.splat(high));
  return toIntegers(f32x4.sub(clamped, f32x4.splat(low)));
}

/** Sign bit and code 0..7 of a doubled FP4 value. */
function fp4Codes(x: v128, inverse: v128): v128 {
  const value = fp4Value(f32x4.mul(x, inverse));
  const size = f32x4.abs(value);
  let code = size; // 0, 1, 2, 3, 4 are themselves; 6, 8, 12 are 5, 6, 7
  code = v128.bitselect(f32x4.splat(5), code, f32x4.eq(size, f32x4.splat(6)));
  code = v128.bitselect(f32x4.splat(6), code, f32x4.eq(size, f32x4.splat(8)));
  code = v128.bitselect(f32x4.splat(7), code, f32x4.eq(size, f32x4.splat(12)));
  return i32x4.add(toIntegers(code), v128.and(f32x4.lt(value, f32x4.splat(0)), i32x4.splat(8)));
}

/** Writes the codes of weights first .. first + n (a multiple of 16) at scale s. */
export function writeCodes(first: i32, n: i32, s: f32): void {
  const inverse = invert(f32x4.splat(s));
  const twice = f32x4.add(inverse, inverse);
  for (let i = first; i < first + n; i += 16) {
    const at = X + (<usize>i << 2);
    const x0 = v128.load(at);
    const x1 = v128.load(at, 16);
    const x2 = v128.load(at, 32);
    const x3 = v128.load(at, 48);
    let codes: v128;
    if (kind == IQ4) {
      codes = iq4Index(halves(x0, twice), halves(x1, twice), halves(x2, twice), halves(x3, twice));
    } else if (kind == UNIFORM) {
      const lower = i16x8.narrow_i32x4_s(codesOf(x0, inverse), codesOf(x1, inverse));
      const upper = i16x8.narrow_i32x4_s(codesOf(x2, inverse), codesOf(x3, inverse));
      codes = i8x16.narrow_i16x8_u(lower, upper);
    } else {
      const lower = i16x8.narrow_i32x4_s(fp4Codes(x0, inverse), fp4Codes(x1, inverse));
      const upper = i16x8.narrow_i32x4_s(fp4Codes(x2, inverse), fp4Codes(x3, inverse));
      codes = i8x16.narrow_i16x8_u(lower, upper);
    }
    v128.store(CODES + <usize>i, codes);
  }
}
