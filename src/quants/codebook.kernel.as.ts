/** Encoders of IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS and IQ3_S: rows through the block search, and the layouts. */
import { blockD, CHOSEN, encodeBlock, FLIPPED, FREE, GROUP, PAIR, POINTS, SIGNS, useFormat } from './codebook-block.as';
import { encodeRows } from './rows.as';

let xxs2: usize = 0;
let xs2: usize = 0;
let s2: usize = 0;
let xxs3: usize = 0;
let s3: usize = 0;

export function iq2_xxs_setup(tables: usize): void {
  xxs2 = tables;
}
export function iq2_xs_setup(tables: usize): void {
  xs2 = tables;
}
export function iq2_s_setup(tables: usize): void {
  s2 = tables;
}
export function iq3_xxs_setup(tables: usize): void {
  xxs3 = tables;
}
export function iq3_s_setup(tables: usize): void {
  s3 = tables;
}

/** The 4-bit scale code of lane `lane` of chunk `c`. */
function scaleCode(c: usize, lane: usize): u32 {
  return <u32>(load<f32>(CHOSEN + (c << 4) + (lane << 2)) * 0.5);
}

/** Stored signs of group `g`: natural minus signs, one of them flipped where the parity asked for it. */
function signsOf(g: usize): u32 {
  return <u32>load<u8>(SIGNS + g) ^ <u32>load<u8>(FLIPPED + g);
}

function point(g: usize): u32 {
  return load<u16>(POINTS + (g << 1));
}

function packXxs2(dst: usize): void {
  for (let c: usize = 0; c < 8; c++) {
    let word = scaleCode(c, 0) << 28;
    for (let l: usize = 0; l < 4; l++) {
      store<u8>(dst + 2 + 8 * c + l, <u8>point(4 * c + l));
      word |= (signsOf(4 * c + l) & 127) << (7 * <u32>l);
    }
    store<u32>(dst + 6 + 8 * c, word);
  }
}

function packXs2(dst: usize): void {
  for (let c: usize = 0; c < 8; c++) {
    store<u8>(dst + 66 + c, <u8>(scaleCode(c, 0) | (scaleCode(c, 2) << 4)));
    for (let g = 4 * c; g < 4 * c + 4; g++) store<u16>(dst + 2 + 2 * g, <u16>(point(g) | ((signsOf(g) & 127) << 9)));
  }
}

function packS2(dst: usize): void {
  for (let c: usize = 0; c < 8; c++) {
    let high: u32 = 0;
    for (let l: usize = 0; l < 4; l++) {
      const p = point(4 * c + l);
      store<u8>(dst + 2 + 4 * c + l, <u8>p);
      store<u8>(dst + 34 + 4 * c + l, <u8>signsOf(4 * c + l));
      high |= (p >> 8) << (2 * <u32>l);
    }
    store<u8>(dst + 66 + c, <u8>high);
    store<u8>(dst + 74 + c, <u8>(scaleCode(c, 0) | (scaleCode(c, 2) << 4)));
  }
}

function packXxs3(dst: usize): void {
  for (let c: usize = 0; c < 8; c++) {
    let word = scaleCode(c, 0) << 28;
    for (let l: usize = 0; l < 4; l++) {
      const g = 8 * c + 2 * l;
      store<u8>(dst + 2 + g, <u8>point(g));
      store<u8>(dst + 3 + g, <u8>point(g + 1));
      word |= ((signsOf(g) | (signsOf(g + 1) << 4)) & 127) << (7 * <u32>l);
    }
    store<u32>(dst + 66 + 4 * c, word);
  }
}

function packS3(dst: usize): void {
  for (let c: usize = 0; c < 8; c++) {
    let high: u32 = 0;
    for (let l: usize = 0; l < 8; l++) {
      const p = point(8 * c + l);
      store<u8>(dst + 2 + 8 * c + l, <u8>p);
      high |= (p >> 8) << <u32>l;
    }
    store<u8>(dst + 66 + c, <u8>high);
    for (let l: usize = 0; l < 4; l++) {
      const g = 8 * c + 2 * l;
      store<u8>(dst + 74 + 4 * c + l, <u8>(signsOf(g) | (signsOf(g + 1) << 4)));
    }
  }
  for (let i: usize = 0; i < 4; i++) {
    store<u8>(dst + 106 + i, <u8>(scaleCode(2 * i, 0) | (scaleCode(2 * i + 1, 0) << 4)));
  }
}

/** Encodes the block at `src` up to its d; false: all of it is zero, and written. */
function beginBlock(src: usize, dst: usize, importance: usize, effort: i32, bytes: usize): bool {
  if (!encodeBlock(src, importance, effort)) {
    memory.fill(dst, 0, bytes);
    return false;
  }
  store<u16>(dst, <u16>blockD);
  return true;
}

function iq2_xxsBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (beginBlock(src, dst, importance, effort, 66)) packXxs2(dst);
}

export function iq2_xxs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xxs2, 8, GROUP, 4, 0.125, 0.0305);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 66, iq2_xxsBlock);
}

function iq2_xsBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (beginBlock(src, dst, importance, effort, 74)) packXs2(dst);
}

export function iq2_xs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xs2, 8, GROUP, 2, 0.125, 0.0305);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 74, iq2_xsBlock);
}

function iq2_sBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (beginBlock(src, dst, importance, effort, 82)) packS2(dst);
}

export function iq2_s_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(s2, 8, FREE, 2, 0.125, 0.0302);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 82, iq2_sBlock);
}

function iq3_xxsBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (beginBlock(src, dst, importance, effort, 98)) packXxs3(dst);
}

export function iq3_xxs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xxs3, 4, PAIR, 8, 0.25, 0.0267);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 98, iq3_xxsBlock);
}

function iq3_sBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  if (beginBlock(src, dst, importance, effort, 110)) packS3(dst);
}

export function iq3_s_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(s3, 4, FREE, 8, 1, 0.111);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 110, iq3_sBlock);
}
