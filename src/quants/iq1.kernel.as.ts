/** Encoders of IQ1_S and IQ1_M: rows of f32 to blocks, the kernels behind formats/iq1_s.ts and iq1_m.ts. */
import { setupPoints } from './iq1-points.as';
import { bestD, bestMultiples, bestPoints, bestShifts, configure, searchBlock } from './iq1-search.as';
import { encodeRows } from './rows.as';

/** @param tables the packed grid, 2048 u16. */
export function iq1_s_setup(tables: usize): void {
  setupPoints(tables);
}

/** @param tables the packed grid, 2048 u16. */
export function iq1_m_setup(tables: usize): void {
  setupPoints(tables);
}

/** Bytes of an IQ1_S block: d, 32 low index bytes, eight u16 of high index bits, multiple and shift. */
function packS(dst: usize): void {
  store<u16>(dst, <u16>bestD);
  for (let sub: usize = 0; sub < 8; sub++) {
    let high = (load<u32>(bestMultiples + 4 * sub) << 12) | (load<u32>(bestShifts + 16 * sub) << 15);
    for (let g: usize = 0; g < 4; g++) {
      const point = load<u32>(bestPoints + 16 * sub + 4 * g);
      store<u8>(dst + 2 + 4 * sub + g, <u8>point);
      high |= (point >> 8) << (3 * <u32>g);
    }
    store<u16>(dst + 34 + 2 * sub, <u16>high);
  }
}

/** Bytes of an IQ1_M block: 32 low index bytes, 32 nibbles of high index bits and shift, four u16 of scales. */
function packM(dst: usize): void {
  for (let pair: usize = 0; pair < 16; pair++) {
    const first = load<u32>(bestPoints + 8 * pair);
    const second = load<u32>(bestPoints + 8 * pair + 4);
    store<u8>(dst + 2 * pair, <u8>first);
    store<u8>(dst + 2 * pair + 1, <u8>second);
    const low = (first >> 8) | (load<u32>(bestShifts + 8 * pair) << 3);
    const high = (second >> 8) | (load<u32>(bestShifts + 8 * pair + 4) << 3);
    store<u8>(dst + 32 + pair, <u8>(low | (high << 4)));
  }
  for (let k: usize = 0; k < 4; k++) {
    let bits = ((bestD >> (4 * <u32>k)) & 15) << 12;
    for (let sub: usize = 0; sub < 4; sub++) bits |= load<u32>(bestMultiples + 16 * k + 4 * sub) << (3 * <u32>sub);
    store<u16>(dst + 48 + 2 * k, <u16>bits);
  }
}

function iq1_sBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  searchBlock(src, importance);
  packS(dst);
}

export function iq1_s_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  configure(4, 4, effort);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 50, iq1_sBlock);
}

function iq1_mBlock(src: usize, dst: usize, importance: usize, effort: i32): void {
  searchBlock(src, importance);
  packM(dst);
}

export function iq1_m_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  configure(2, 1, effort);
  encodeRows(src, dst, importance, rows, cols, effort, 256, 56, iq1_mBlock);
}
