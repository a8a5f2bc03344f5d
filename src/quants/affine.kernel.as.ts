/** Kernels that encode Q4_K, Q5_K and Q2_K: the search of affine.as.ts and the layouts of the blocks. */
import { CODES, setHighEnds, setLowEnds } from './affine.as';
import {
  MINS,
  SCALES,
  dBits,
  dminBits,
  searchSuper,
  setSuperEffort,
  setSuperShape,
} from './affine-super.as';
import { encodeRows } from './rows.as';

function code(i: usize): u32 {
  return load<u8>(CODES + i);
}

function integer(base: usize, i: usize): u32 {
  return <u32>load<f32>(base + (i << 2));
}

/** Packs eight 6-bit scales and mins into 12 bytes. */
function packSixBit(dst: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    const s = integer(SCALES, i + 4);
    const m = integer(MINS, i + 4);
    store<u8>(dst + i, integer(SCALES, i) | ((s >> 4) << 6));
    store<u8>(dst + i, integer(MINS, i) | ((m >> 4) << 6), 4);
    store<u8>(dst + i, (s & 15) | ((m & 15) << 4), 8);
  }
}

function packQ4K(dst: usize): void {
  store<u16>(dst, dBits());
  store<u16>(dst, dminBits(), 2);
  packSixBit(dst + 4);
  for (let i: usize = 0; i < 128; i++) {
    const at = ((i >> 5) << 6) + (i & 31);
    store<u8>(dst + i, code(at) | (code(at + 32) << 4), 16);
  }
}

function packQ5K(dst: usize): void {
  store<u16>(dst, dBits());
  store<u16>(dst, dminBits(), 2);
  packSixBit(dst + 4);
  for (let i: usize = 0; i < 32; i++) {
    let high: u32 = 0;
    for (let sub: usize = 0; sub < 8; sub++) high |= (code(sub * 32 + i) >> 4) << <u32>sub;
    store<u8>(dst + i, high, 16);
  }
  for (let i: usize = 0; i < 128; i++) {
    const at = ((i >> 5) << 6) + (i & 31);
    store<u8>(dst + i, (code(at) & 15) | ((code(at + 32) & 15) << 4), 48);
  }
}

function packQ2K(dst: usize): void {
  for (let i: usize = 0; i < 16; i++) store<u8>(dst + i, integer(SCALES, i) | (integer(MINS, i) << 4));
  for (let i: usize = 0; i < 64; i++) {
    const at = ((i >> 5) << 7) + (i & 31);
    const packed = code(at) | (code(at + 32) << 2) | (code(at + 64) << 4) | (code(at + 96) << 6);
    store<u8>(dst + i, packed, 16);
  }
  store<u16>(dst, dBits(), 80);
  store<u16>(dst, dminBits(), 82);
}

/** Search of Q4_K and Q5_K, as in affine-super.ts; for `best`, `starts` first guesses of each super-block factor. */
function setSearch(effort: i32, starts: i32): void {
  const wide = effort != 0;
  setLowEnds(-1, wide ? 0.5 : 0.75, wide ? 8 : 4);
  setHighEnds(-1, wide ? 0.5 : 0.75, wide ? 2 : 1, 2);
  if (wide) setSuperEffort(starts, 0.015, 4, 2, true);
  else setSuperEffort(1, 0, 1, 1, false);
}

function q4_kBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (searchSuper(src, importance)) packQ4K(dst);
  else memory.fill(dst, 0, 144);
}

/** f32[rows * cols] at `src` to Q4_K blocks; `importance` f32[cols] or 0; effort 0 fast, 1 best. */
export function q4_k_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setSuperShape(8, 15, 63);
  setSearch(effort, importance ? 5 : 3);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 144, q4_kBlock);
}

function q5_kBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (searchSuper(src, importance)) packQ5K(dst);
  else memory.fill(dst, 0, 176);
}

/** f32[rows * cols] at `src` to Q5_K blocks; arguments as of `q4_k_encode`. */
export function q5_k_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setSuperShape(8, 31, 63);
  setSearch(effort, 3);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 176, q5_kBlock);
}

function q2_kBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (searchSuper(src, importance)) packQ2K(dst);
  else memory.fill(dst, 0, 84);
}

/** f32[rows * cols] at `src` to Q2_K blocks; arguments as of `q4_k_encode`. */
export function q2_k_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setSuperShape(16, 3, 15);
  setLowEnds(-0.6, 0.4, 4);
  setHighEnds(-0.6, 0.4, 1, 2);
  if (effort == 0) setSuperEffort(1, 0, 1, 1, false);
  else setSuperEffort(3, 0.05, 4, 2, true);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 84, q2_kBlock);
}
