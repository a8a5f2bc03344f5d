/** Encoders of IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS and IQ3_S: rows through the block search, and the layouts. */
import { blockD, CHOSEN, encodeBlock, FLIPPED, FREE, GROUP, PAIR, POINTS, SIGNS, useFormat } from './codebook-block.as';

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

/** Encodes rows of blocks; `pack` writes all but d. Importance repeats with each row. */
function encodeRows(
  src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32, bytes: usize,
  pack: (dst: usize) => void,
): void {
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += 256) {
      if (encodeBlock(src, importance ? importance + (<usize>col << 2) : 0, effort)) {
        store<u16>(dst, <u16>blockD);
        pack(dst);
      } else {
        memory.fill(dst, 0, bytes);
      }
      src += 1024;
      dst += bytes;
    }
  }
}

export function iq2_xxs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xxs2, 8, GROUP, 4, 0.125, 0.0305);
  encodeRows(src, dst, importance, rows, cols, effort, 66, packXxs2);
}

export function iq2_xs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xs2, 8, GROUP, 2, 0.125, 0.0305);
  encodeRows(src, dst, importance, rows, cols, effort, 74, packXs2);
}

export function iq2_s_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(s2, 8, FREE, 2, 0.125, 0.0302);
  encodeRows(src, dst, importance, rows, cols, effort, 82, packS2);
}

export function iq3_xxs_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(xxs3, 4, PAIR, 8, 0.25, 0.0267);
  encodeRows(src, dst, importance, rows, cols, effort, 98, packXxs3);
}

export function iq3_s_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  useFormat(s3, 4, FREE, 8, 1, 0.111);
  encodeRows(src, dst, importance, rows, cols, effort, 110, packS3);
}
