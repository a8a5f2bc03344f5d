/**
 * Encoders of the formats with symmetric or tabulated values; see symmetric.as.ts. How wide each effort searches
 * is said in SEARCH of the format's file, with starts, window and polish four times the groups here.
 */
import { f32ToF16 } from '../kernels/half.as';
import { CODES, IQ4, prepare, setGrid, UNIFORM } from './grids.as';
import { fifthBits, packNibbles } from './nibbles.as';
import { encodeRows } from './rows.as';
import { SCALES, searchScales, searchSingle, searchSuper } from './symmetric.as';

function scaleOf(sub: i32): i32 {
  return load<i32>(SCALES + (<usize>sub << 2));
}

/** Sub-block and super-block search of 256 weights; returns d. */
function encodeSuper(
  src: usize, importance: usize, subs: i32, n: i32, most: f32, groups: i32, rounds: i32, reach: f32, ratio: f32,
  windows: i32, tries: i32, refits: i32, spread: f32, polish: i32,
): f32 {
  prepare(src, importance, 256);
  for (let sub = 0; sub < subs; sub++) searchScales(sub, n, groups, rounds, reach, ratio);
  return searchSuper(subs, n, -most - 1, most, windows, tries, refits, spread, polish);
}

/** Search of one scale for `n` weights; returns it. */
function encodeSingle(
  src: usize, importance: usize, n: i32, groups: i32, rounds: i32, reach: f32, ratio: f32,
): f32 {
  const some = prepare(src, importance, n);
  return searchSingle(n, some ? groups : 0, rounds, reach, ratio);
}

function q3_kBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSuper(src, importance, 16, 16, 31, 4, 2, 0.8, 1.12, 1, 5, 3, 0.03, 0)
    : encodeSuper(src, importance, 16, 16, 31, 2, 1, 0.85, 1.18, 1, 1, 3, 0, 0);
  packQ3(dst, d);
}

export function q3_k_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -4, 3);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 110, q3_kBlock);
}

/** hmask[32], qs[64], scales[12], d. */
function packQ3(dst: usize, d: f32): void {
  for (let lane: usize = 0; lane < 32; lane += 16) {
    let high = i8x16.splat(0);
    for (let half: usize = 0; half < 2; half++) {
      let low = i8x16.splat(0);
      for (let j: usize = 0; j < 4; j++) {
        const codes = v128.load(CODES + (half << 7) + (j << 5) + lane);
        low = v128.or(low, i8x16.shl(v128.and(codes, i8x16.splat(3)), 2 * <i32>j));
        const bit = v128.and(i8x16.shr_u(codes, 2), i8x16.splat(1));
        high = v128.or(high, i8x16.shl(bit, 4 * <i32>half + <i32>j));
      }
      v128.store(dst + 32 + (half << 5) + lane, low);
    }
    v128.store(dst + lane, high);
  }
  const scales = dst + 96;
  memory.fill(scales, 0, 12);
  for (let sub = 0; sub < 16; sub++) {
    const l = scaleOf(sub) + 32;
    const at = scales + <usize>(sub & 7);
    store<u8>(at, <u8>(<i32>load<u8>(at) | ((l & 15) << (sub < 8 ? 0 : 4))));
    const up = scales + 8 + <usize>(sub & 3);
    store<u8>(up, <u8>(<i32>load<u8>(up) | ((l >> 4) << (2 * (sub >> 2)))));
  }
  store<u16>(dst + 108, <u16>f32ToF16(d));
}

function q6_kBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSuper(src, importance, 16, 16, 127, 2, 2, 0.95, 1.03, 1, 4, 2, 0.02, 16)
    : encodeSuper(src, importance, 16, 16, 127, 2, 1, 0.96, 1.03, 1, 1, 1, 0, 4);
  packQ6(dst, d);
}

export function q6_k_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -32, 31);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 210, q6_kBlock);
}

/** ql[128], qh[64], scales int8[16], d. */
function packQ6(dst: usize, d: f32): void {
  const nibble = i8x16.splat(15);
  for (let at: usize = 0; at < 64; at += 16) {
    const half = at >> 5;
    const lane = at & 31;
    const codes = CODES + (half << 7) + lane;
    const c0 = v128.load(codes);
    const c1 = v128.load(codes, 32);
    const c2 = v128.load(codes, 64);
    const c3 = v128.load(codes, 96);
    const ql = dst + (half << 6) + lane;
    v128.store(ql, v128.or(v128.and(c0, nibble), i8x16.shl(c2, 4)));
    v128.store(ql, v128.or(v128.and(c1, nibble), i8x16.shl(c3, 4)), 32);
    const lower = v128.or(i8x16.shr_u(c0, 4), i8x16.shl(i8x16.shr_u(c1, 4), 2));
    const upper = v128.or(i8x16.shl(i8x16.shr_u(c2, 4), 4), i8x16.shl(i8x16.shr_u(c3, 4), 6));
    v128.store(dst + 128 + (half << 5) + lane, v128.or(lower, upper));
  }
  for (let sub = 0; sub < 16; sub++) store<i8>(dst + 192 + <usize>sub, <i8>scaleOf(sub));
  store<u16>(dst + 208, <u16>f32ToF16(d));
}

function iq4_xsBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSuper(src, importance, 8, 32, 31, 4, 3, 0.85, 1.08, 1, 5, 3, 0.04, 2)
    : encodeSuper(src, importance, 8, 32, 31, 1, 2, 0.9, 1.1, 1, 1, 3, 0, 0);
  packIq4Xs(dst, d);
}

export function iq4_xs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(IQ4, -127, 113);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 136, iq4_xsBlock);
}

/** d, scales_h u16, scales_l[4], qs[128]. */
function packIq4Xs(dst: usize, d: f32): void {
  store<u16>(dst, <u16>f32ToF16(d));
  let high: i32 = 0;
  let low: i32 = 0;
  for (let sub = 0; sub < 8; sub++) {
    const l = scaleOf(sub) + 32;
    low |= (l & 15) << (4 * sub);
    high |= (l >> 4) << (2 * sub);
    packNibbles(dst + 8 + 16 * <usize>sub, CODES + 32 * <usize>sub);
  }
  store<u16>(dst + 2, <u16>high);
  store<i32>(dst + 4, low);
}

function iq4_nlBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSingle(src, importance, 32, 8, 3, 0.8, 1.05)
    : encodeSingle(src, importance, 32, 2, 3, 0.88, 1.06);
  store<u16>(dst, <u16>f32ToF16(d));
  packNibbles(dst + 2, CODES);
}

export function iq4_nl_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(IQ4, -127, 113);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 18, iq4_nlBlock);
}

function q4_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSingle(src, importance, 32, 6, 3, 0.85, 1.055)
    : encodeSingle(src, importance, 32, 1, 2, 0.92, 1.08);
  store<u16>(dst, <u16>f32ToF16(d));
  packNibbles(dst + 2, CODES);
}

export function q4_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -8, 7);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 18, q4_0Block);
}

function q5_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = effort
    ? encodeSingle(src, importance, 32, 4, 3, 0.92, 1.035)
    : encodeSingle(src, importance, 32, 1, 2, 0.95, 1.05);
  store<u16>(dst, <u16>f32ToF16(d));
  store<u32>(dst + 2, fifthBits(CODES));
  packNibbles(dst + 6, CODES);
}

export function q5_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -16, 15);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 22, q5_0Block);
}

function q8_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const sign = i8x16.splat(-128);
  const d = effort
    ? encodeSingle(src, importance, 32, 4, 2, 0.985, 1.005)
    : encodeSingle(src, importance, 32, 1, 1, 0.995, 1.005);
  store<u16>(dst, <u16>f32ToF16(d));
  v128.store(dst + 2, v128.xor(v128.load(CODES), sign));
  v128.store(dst + 18, v128.xor(v128.load(CODES, 16), sign));
}

export function q8_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -128, 127);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 34, q8_0Block);
}
