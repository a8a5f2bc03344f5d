/** Encoders of the ternary, binary and FP4 formats; see symmetric.as.ts. */
import { f32ToF16, MAX_F16 } from '../kernels/half.as';
import { CODES, FP4, meanMagnitude, prepare, setGrid, UNIFORM } from './grids.as';
import { packNibbles } from './nibbles.as';
import { encodeRows } from './rows.as';
import { chooseFp4Scale, searchSingle } from './symmetric.as';

/** Candidates for `chooseFp4Scale`, and what number stands for each. */
const CANDIDATES: usize = memory.data(32, 16);

/** Ternary codes 0..2 of 256 weights; returns the scale. */
function encodeTernary(src: usize, importance: usize, effort: i32): f32 {
  const some = prepare(src, importance, 256);
  if (effort == 0) return searchSingle(256, some ? 1 : 0, 2, 1.5, 1.4);
  return searchSingle(256, some ? 4 : 0, 4, 1, 1.15);
}

/** Digits count from the byte's top: `code * 256 / 243` rounded up, so that the decoder's products carry out right. */
function packDigits(dst: usize, codes: usize, bytes: usize, digits: usize): void {
  for (let i: usize = 0; i < bytes; i++) {
    let value: u32 = 0;
    for (let digit: usize = 0; digit < 5; digit++) {
      value = value * 3 + (digit < digits ? <u32>load<u8>(codes + digit * bytes + i) : 0);
    }
    store<u8>(dst + i, <u8>((value * 256 + 242) / 243));
  }
}

function tq1_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = encodeTernary(src, importance, effort);
  packDigits(dst, CODES, 32, 5);
  packDigits(dst + 32, CODES + 160, 16, 5);
  packDigits(dst + 48, CODES + 240, 4, 4);
  store<u16>(dst + 52, <u16>f32ToF16(d));
}

export function tq1_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -1, 1);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 54, tq1_0Block);
}

function tq2_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const d = encodeTernary(src, importance, effort);
  for (let at: usize = 0; at < 64; at += 16) {
    const codes = CODES + ((at >> 5) << 7) + (at & 31);
    const lower = v128.or(v128.load(codes), i8x16.shl(v128.load(codes, 32), 2));
    const upper = v128.or(i8x16.shl(v128.load(codes, 64), 4), i8x16.shl(v128.load(codes, 96), 6));
    v128.store(dst + at, v128.or(lower, upper));
  }
  store<u16>(dst + 64, <u16>f32ToF16(d));
}

export function tq2_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -1, 1);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 66, tq2_0Block);
}

function q2_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const some = prepare(src, importance, 64);
  const d = effort
    ? searchSingle(64, some ? 4 : 0, 4, 0.8, 1.1)
    : searchSingle(64, some ? 1 : 0, 3, 0.9, 1.3);
  store<u16>(dst, <u16>f32ToF16(d));
  for (let i: usize = 0; i < 16; i++) {
    const codes = load<u32>(CODES + (i << 2));
    store<u8>(dst + 2 + i, <u8>(codes | (codes >> 6) | (codes >> 12) | (codes >> 18)));
  }
}

export function q2_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(UNIFORM, -1, 2);
  encodeRows(src, dst, importance, rows, cols, effort, 64, 18, q2_0Block);
}

function q1_0Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  prepare(src, importance, 128);
  store<u16>(dst, <u16>f32ToF16(min(meanMagnitude(128), MAX_F16)));
  for (let i: usize = 0; i < 512; i += 16) {
    const bits = i32x4.bitmask(f32x4.ge(v128.load(src + i), f32x4.splat(0)));
    const byte = dst + 2 + (i >> 5);
    store<u8>(byte, <u8>((i & 16) == 0 ? bits : <i32>load<u8>(byte) | (bits << 4)));
  }
}

export function q1_0_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  encodeRows(src, dst, importance, rows, cols, effort, 128, 18, q1_0Block);
}

/** Power of two below the largest magnitude, as an exponent of at least -126; 128 for infinity. */
function exponentOf(src: usize, n: i32): i32 {
  let most: u32 = 0;
  for (let i: usize = 0; i < <usize>n << 2; i += 4) {
    const bits = load<u32>(src + i) & 0x7fffffff;
    if (bits <= 0x7f800000 && bits > most) most = bits;
  }
  return max(<i32>(most >> 23), 1) - 127;
}

function powerOfTwo(exponent: i32): f32 {
  if (exponent < -126) return reinterpret<f32>(<u32>1 << <u32>(exponent + 149));
  return reinterpret<f32>(<u32>(exponent + 127) << 23);
}

function mxfp4Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  const exponent = exponentOf(src, 32);
  prepare(src, importance, 32, powerOfTwo(-exponent));
  // The byte e stands for 2^(e - 128); the largest weight lies in 4..8, 8..16, … of it. Above 252 12 units overflow.
  const first = min(max(exponent + 126, 0), 252);
  for (let k = 0; k < 8; k++) {
    store<f32>(CANDIDATES + (<usize>k << 2), powerOfTwo(max(first - k, 0) - 128 - exponent));
  }
  const chosen = chooseFp4Scale(0, 32, CANDIDATES, effort ? 8 : 4);
  store<u8>(dst, <u8>(chosen < 0 ? 0 : max(first - chosen, 0)));
  packNibbles(dst + 1, CODES);
}

export function mxfp4_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(FP4, -12, 12);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 17, mxfp4Block);
}

/** Half the value of an unsigned E4M3 byte 0..126. */
function halfScale(byte: i32): f32 {
  if (byte < 8) return <f32>byte * <f32>0.0009765625; // 2^-10
  return reinterpret<f32>((<u32>byte << 20) + (<u32>119 << 23));
}

function nvfp4Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  prepare(src, importance, 64);
  for (let sub = 0; sub < 4; sub++) encodeNvfp4Part(dst, sub, largestOf(src + (<usize>sub << 6)));
}

export function nvfp4_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setGrid(FP4, -12, 12);
  encodeRows(src, dst, importance, rows, cols, effort, 64, 36, nvfp4Block);
}

/** Largest magnitude of 16 weights. */
function largestOf(src: usize): f32 {
  let most: f32 = 0;
  for (let i: usize = 0; i < 64; i += 4) {
    const size = abs(load<f32>(src + i));
    if (size > most) most = size; // false for NaN
  }
  return most;
}

/** 16 weights: the scale byte and 8 bytes of codes. Bytes from 2 above that of the largest weight down to 5 below. */
function encodeNvfp4Part(dst: usize, sub: i32, largest: f32): void {
  let byte: i32 = 0;
  while (byte < 126 && halfScale(byte) * <f32>12 < largest) byte++;
  const first = min(byte + 2, 126);
  for (let k = 0; k < 8; k++) store<f32>(CANDIDATES + (<usize>k << 2), halfScale(max(first - k, 0)));
  const chosen = chooseFp4Scale(sub * 16, 16, CANDIDATES, 8);
  store<u8>(dst + <usize>sub, <u8>(chosen < 0 ? 0 : max(first - chosen, 0)));
  const codes = CODES + (<usize>sub << 4);
  const out = dst + 4 + (<usize>sub << 3);
  store<u64>(out, load<u64>(codes) | (load<u64>(codes + 8) << 4));
}
