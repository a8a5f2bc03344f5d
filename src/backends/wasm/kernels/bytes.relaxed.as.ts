/**
 * The product of one token with rows of Q4_K, Q5_K and Q6_K where the machine has relaxed SIMD: activations of a byte
 * times unsigned codes of up to seven bits, sixteen at once. 127 * 63 * 2 fits the i16 lanes in which the instruction
 * adds pairs, so it cannot saturate, and its result is the same on every machine. Sub-block scales are applied
 * by the product that widens the lanes. Written out block by block: V8 keeps constant lanes and offsets in the code.
 */
import { f16ToF32 } from '../../../kernels/half.as';
import { scaleBytes } from '../../../quants/expand/six-bit.as';
import { BYTE_CODES, BYTE_RECORD, BYTE_SUMS16, BYTE_SUMS32 } from './bytes-layout.as';
import { codes8, largestMagnitude, TINY } from './rounding.as';
import * as kinds from './single-kinds.as';
import { claim, rowsToClaim } from './work.as';

/** Masks out of memory: V8 would make such constants anew each time. */
const NIBBLES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);
const FIFTH = memory.data<u8>([16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16], 16);
const UPPER = memory.data<u8>([48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48, 48], 16);

const AMPLITUDE: f32 = 127;

/** One token's f32 values at `x` to records of bytes at `out`, one a group of 256. */
export function quantize_bytes(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  x: usize, groups: i32, out: usize,
): void {
  for (let group = thread; group < groups; group += threads) {
    quantizeGroup(x + (<usize>group << 10), out + <usize>group * BYTE_RECORD);
  }
}

function quantizeGroup(from: usize, to: usize): void {
  const most = largestMagnitude(from, 256);
  store<f32>(to, most < TINY ? 0 : most / AMPLITUDE);
  const inverse = f32x4.splat(most < TINY ? <f32>0 : AMPLITUDE / most);
  let before = 0;
  for (let part = 0; part < 16; part++) {
    const at = from + (<usize>part << 6);
    const codes = i8x16.narrow_i16x8_s(codes8(at, inverse), codes8(at + 32, inverse));
    v128.store(to + BYTE_CODES + (<usize>part << 4), codes);
    const quads = i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(codes));
    const sum = i32x4.extract_lane(quads, 0) + i32x4.extract_lane(quads, 1) +
      i32x4.extract_lane(quads, 2) + i32x4.extract_lane(quads, 3);
    store<i16>(to + BYTE_SUMS16 + (<usize>part << 1), <i16>sum);
    if (part & 1) store<i16>(to + BYTE_SUMS32 + <usize>(part & ~1), <i16>(before + sum));
    before = sum;
  }
}

/** y[n] = sum over k of x[k] w[n, k]. @param kind of single-kinds.as.ts. @param records from `quantize_bytes`. */
export function matvec_bytes(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  kind: i32, weights: usize, rows: i32, cols: i32, rowBytes: usize, records: usize, y: usize,
): void {
  const blocks = cols >> 8;
  const few = rowsToClaim(rows, threads);
  for (let first = claim(counter) * few; first < rows; first = claim(counter) * few) {
    for (let row = first, end = min(rows, first + few); row < end; row++) {
      const src = weights + <usize>row * rowBytes;
      let sum: v128;
      if (kind == kinds.Q4_K) sum = q4_k_bytes(src, blocks, records);
      else if (kind == kinds.Q5_K) sum = q5_k_bytes(src, blocks, records);
      else sum = q6_k_bytes(src, blocks, records);
      const pairs = f32x4.add(sum, v128.shuffle<i64>(sum, sum, 1, 0));
      store<f32>(y + (<usize>row << 2), f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1));
    }
  }
}

/** Eight mins of the 12 bytes at `at`, widened to i16. */
function mins8(at: usize): v128 {
  const upper = (load<u32>(at, 8) >> 4 & 0x0f0f0f0f) | (load<u32>(at, 4) >> 2 & 0x30303030);
  const bytes = <u64>(load<u32>(at, 4) & 0x3f3f3f3f) | <u64>upper << 32;
  return i16x8.extend_low_i8x16_u(i64x2.splat(bytes));
}

/** The float step: sum + d s (codes . codes), lane by lane. */
function stepped(sum: v128, d: f32, total: v128): v128 {
  return f32x4.add(sum, f32x4.mul(f32x4.splat(d), f32x4.convert_i32x4_s(total)));
}

function q4_k_bytes(src: usize, blocks: i32, x: usize): v128 {
  const nibble = v128.load(NIBBLES);
  let sum = f32x4.splat(0);
  for (; blocks > 0; blocks--, src += 144, x += BYTE_RECORD) {
    const scales = i16x8.extend_low_i8x16_u(i64x2.splat(scaleBytes(src + 4)));
    const mins = i32x4.dot_i16x8_s(mins8(src + 4), v128.load(x, BYTE_SUMS32));
    let total = i32x4.splat(0);
    let low: v128, high: v128, sums: v128;
    low = v128.load(src, 16);
    high = v128.load(src, 32);
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 64), v128.and(low, nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 80), v128.and(high, nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 0, 0, 0, 0, 0, 0, 0, 0)));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 96), v128.and(i16x8.shr_u(low, 4), nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 112), v128.and(i16x8.shr_u(high, 4), nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 1, 1, 1, 1, 1, 1, 1, 1)));
    low = v128.load(src, 48);
    high = v128.load(src, 64);
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 128), v128.and(low, nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 144), v128.and(high, nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 2, 2, 2, 2, 2, 2, 2, 2)));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 160), v128.and(i16x8.shr_u(low, 4), nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 176), v128.and(i16x8.shr_u(high, 4), nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 3, 3, 3, 3, 3, 3, 3, 3)));
    low = v128.load(src, 80);
    high = v128.load(src, 96);
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 192), v128.and(low, nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 208), v128.and(high, nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 4, 4, 4, 4, 4, 4, 4, 4)));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 224), v128.and(i16x8.shr_u(low, 4), nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 240), v128.and(i16x8.shr_u(high, 4), nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 5, 5, 5, 5, 5, 5, 5, 5)));
    low = v128.load(src, 112);
    high = v128.load(src, 128);
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 256), v128.and(low, nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 272), v128.and(high, nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 6, 6, 6, 6, 6, 6, 6, 6)));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 288), v128.and(i16x8.shr_u(low, 4), nibble)),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 304), v128.and(i16x8.shr_u(high, 4), nibble)),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 7, 7, 7, 7, 7, 7, 7, 7)));
    const scale = load<f32>(x);
    sum = stepped(sum, f16ToF32(load<u16>(src)) * scale, total);
    sum = stepped(sum, -f16ToF32(load<u16>(src, 2)) * scale, mins);
  }
  return sum;
}

function q5_k_bytes(src: usize, blocks: i32, x: usize): v128 {
  const nibble = v128.load(NIBBLES), fifth = v128.load(FIFTH);
  let sum = f32x4.splat(0);
  for (; blocks > 0; blocks--, src += 176, x += BYTE_RECORD) {
    const scales = i16x8.extend_low_i8x16_u(i64x2.splat(scaleBytes(src + 4)));
    const mins = i32x4.dot_i16x8_s(mins8(src + 4), v128.load(x, BYTE_SUMS32));
    const h0 = v128.load(src, 16), h1 = v128.load(src, 32);
    let total = i32x4.splat(0);
    let low: v128, high: v128, c0: v128, c1: v128, sums: v128;
    low = v128.load(src, 48);
    high = v128.load(src, 64);
    c0 = v128.or(v128.and(low, nibble), v128.and(i16x8.shl(h0, 4), fifth));
    c1 = v128.or(v128.and(high, nibble), v128.and(i16x8.shl(h1, 4), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 64), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 80), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 0, 0, 0, 0, 0, 0, 0, 0)));
    c0 = v128.or(v128.and(i16x8.shr_u(low, 4), nibble), v128.and(i16x8.shl(h0, 3), fifth));
    c1 = v128.or(v128.and(i16x8.shr_u(high, 4), nibble), v128.and(i16x8.shl(h1, 3), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 96), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 112), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 1, 1, 1, 1, 1, 1, 1, 1)));
    low = v128.load(src, 80);
    high = v128.load(src, 96);
    c0 = v128.or(v128.and(low, nibble), v128.and(i16x8.shl(h0, 2), fifth));
    c1 = v128.or(v128.and(high, nibble), v128.and(i16x8.shl(h1, 2), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 128), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 144), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 2, 2, 2, 2, 2, 2, 2, 2)));
    c0 = v128.or(v128.and(i16x8.shr_u(low, 4), nibble), v128.and(i16x8.shl(h0, 1), fifth));
    c1 = v128.or(v128.and(i16x8.shr_u(high, 4), nibble), v128.and(i16x8.shl(h1, 1), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 160), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 176), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 3, 3, 3, 3, 3, 3, 3, 3)));
    low = v128.load(src, 112);
    high = v128.load(src, 128);
    c0 = v128.or(v128.and(low, nibble), v128.and(h0, fifth));
    c1 = v128.or(v128.and(high, nibble), v128.and(h1, fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 192), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 208), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 4, 4, 4, 4, 4, 4, 4, 4)));
    c0 = v128.or(v128.and(i16x8.shr_u(low, 4), nibble), v128.and(i16x8.shr_u(h0, 1), fifth));
    c1 = v128.or(v128.and(i16x8.shr_u(high, 4), nibble), v128.and(i16x8.shr_u(h1, 1), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 224), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 240), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 5, 5, 5, 5, 5, 5, 5, 5)));
    low = v128.load(src, 144);
    high = v128.load(src, 160);
    c0 = v128.or(v128.and(low, nibble), v128.and(i16x8.shr_u(h0, 2), fifth));
    c1 = v128.or(v128.and(high, nibble), v128.and(i16x8.shr_u(h1, 2), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 256), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 272), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 6, 6, 6, 6, 6, 6, 6, 6)));
    c0 = v128.or(v128.and(i16x8.shr_u(low, 4), nibble), v128.and(i16x8.shr_u(h0, 3), fifth));
    c1 = v128.or(v128.and(i16x8.shr_u(high, 4), nibble), v128.and(i16x8.shr_u(h1, 3), fifth));
    sums = i16x8.add(
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 288), c0),
      i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 304), c1),
    );
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(scales, scales, 7, 7, 7, 7, 7, 7, 7, 7)));
    const scale = load<f32>(x);
    sum = stepped(sum, f16ToF32(load<u16>(src)) * scale, total);
    sum = stepped(sum, -f16ToF32(load<u16>(src, 2)) * scale, mins);
  }
  return sum;
}

function q6_k_bytes(src: usize, blocks: i32, x: usize): v128 {
  const nibble = v128.load(NIBBLES), upper = v128.load(UPPER);
  let sum = f32x4.splat(0);
  for (; blocks > 0; blocks--, src += 210, x += BYTE_RECORD) {
    const factors = v128.load(src, 192);
    const first = i16x8.extend_low_i8x16_s(factors), second = i16x8.extend_high_i8x16_s(factors);
    // Codes count from 0 here; the 32 that each has too much is taken from the sums of 16 activations.
    const beyond = i32x4.add(
      i32x4.dot_i16x8_s(first, v128.load(x, BYTE_SUMS16)),
      i32x4.dot_i16x8_s(second, v128.load(x, BYTE_SUMS16 + 16)),
    );
    let total = i32x4.neg(i32x4.shl(beyond, 5));
    let q0: v128, q1: v128, h: v128, code: v128, sums: v128;
    q0 = v128.load(src, 0);
    q1 = v128.load(src, 32);
    h = v128.load(src, 128);
    code = v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 64), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 0, 0, 0, 0, 0, 0, 0, 0)));
    code = v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 96), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 2, 2, 2, 2, 2, 2, 2, 2)));
    code = v128.or(v128.and(i16x8.shr_u(q0, 4), nibble), v128.and(h, upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 128), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 4, 4, 4, 4, 4, 4, 4, 4)));
    code = v128.or(v128.and(i16x8.shr_u(q1, 4), nibble), v128.and(i16x8.shr_u(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 160), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 6, 6, 6, 6, 6, 6, 6, 6)));
    q0 = v128.load(src, 16);
    q1 = v128.load(src, 48);
    h = v128.load(src, 144);
    code = v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 80), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 1, 1, 1, 1, 1, 1, 1, 1)));
    code = v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 112), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 3, 3, 3, 3, 3, 3, 3, 3)));
    code = v128.or(v128.and(i16x8.shr_u(q0, 4), nibble), v128.and(h, upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 144), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 5, 5, 5, 5, 5, 5, 5, 5)));
    code = v128.or(v128.and(i16x8.shr_u(q1, 4), nibble), v128.and(i16x8.shr_u(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 176), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(first, first, 7, 7, 7, 7, 7, 7, 7, 7)));
    q0 = v128.load(src, 64);
    q1 = v128.load(src, 96);
    h = v128.load(src, 160);
    code = v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 192), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 0, 0, 0, 0, 0, 0, 0, 0)));
    code = v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 224), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 2, 2, 2, 2, 2, 2, 2, 2)));
    code = v128.or(v128.and(i16x8.shr_u(q0, 4), nibble), v128.and(h, upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 256), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 4, 4, 4, 4, 4, 4, 4, 4)));
    code = v128.or(v128.and(i16x8.shr_u(q1, 4), nibble), v128.and(i16x8.shr_u(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 288), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 6, 6, 6, 6, 6, 6, 6, 6)));
    q0 = v128.load(src, 80);
    q1 = v128.load(src, 112);
    h = v128.load(src, 176);
    code = v128.or(v128.and(q0, nibble), v128.and(i16x8.shl(h, 4), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 208), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 1, 1, 1, 1, 1, 1, 1, 1)));
    code = v128.or(v128.and(q1, nibble), v128.and(i16x8.shl(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 240), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 3, 3, 3, 3, 3, 3, 3, 3)));
    code = v128.or(v128.and(i16x8.shr_u(q0, 4), nibble), v128.and(h, upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 272), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 5, 5, 5, 5, 5, 5, 5, 5)));
    code = v128.or(v128.and(i16x8.shr_u(q1, 4), nibble), v128.and(i16x8.shr_u(h, 2), upper));
    sums = i16x8.relaxed_dot_i8x16_i7x16_s(v128.load(x, 304), code);
    total = i32x4.add(total, i32x4.dot_i16x8_s(sums, v128.shuffle<i16>(second, second, 7, 7, 7, 7, 7, 7, 7, 7)));
    sum = stepped(sum, f16ToF32(load<u16>(src, 208)) * load<f32>(x), total);
  }
  return sum;
}
