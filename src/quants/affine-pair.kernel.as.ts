/**
 * Kernels that encode Q4_1 and Q5_1: blocks of 32 weights `d * q + m` with f16 d and m. The real pair comes
 * from the search of affine.as.ts; then d's neighbours among the f16 values compete, each with its best m.
 */
import {
  CODES,
  HIGH,
  HUGE,
  IDEAL_M,
  IDEAL_S,
  LOW,
  SUM_QQ,
  SUM_W,
  SUM_WQ,
  SUM_WX,
  SUM_XQ,
  at,
  errors,
  factorBits,
  factorOf,
  loadImportance,
  loadWeights,
  measure,
  put,
  searchSub,
  setHighEnds,
  setLowEnds,
  setShape,
  statistics,
  writeCodes,
} from './affine.as';
import { fifthBits, packNibbles } from './nibbles.as';
import { encodeRows } from './rows.as';

/** Scales and mins of four f16 candidates, and their errors. */
const FOUR: usize = memory.data(48, 16);

let bitsD: u32 = 0;
let bitsM: u32 = 0;

/** Ideal pair from the range alone and one least-squares fit: the quick path for equal importance. */
function fitRange(codeMax: f32): void {
  const s = (at(HIGH, 0) - at(LOW, 0)) / codeMax;
  statistics(0, s, -at(LOW, 0));
  const det = at(SUM_QQ, 0) * at(SUM_W, 0) - at(SUM_WQ, 0) * at(SUM_WQ, 0);
  const fits = det > 1e-6 * at(SUM_QQ, 0) * at(SUM_W, 0);
  put(IDEAL_S, 0, fits ? (at(SUM_XQ, 0) * at(SUM_W, 0) - at(SUM_WQ, 0) * at(SUM_WX, 0)) / det : 0);
}

/**
 * Four f16 values around the ideal scale compete, each with the min that suits its codes and with the mins
 * that move all codes by up to `shifts`: one of those may be the f16 that meets weights on a grid exactly.
 */
function roundPair(shifts: i32): void {
  const near = factorBits(at(IDEAL_S, 0));
  let least: f32 = HUGE;
  let bestS: f32 = 0;
  let bestM: f32 = 0;
  for (let shift = -shifts; shift <= shifts; shift++) {
    for (let i: u32 = 0; i < 4; i++) {
      const h = near + i > 1 ? min<u32>(near + i - 1, 0x7bff) : 0;
      const s: f32 = at(IDEAL_S, 0) > 0 ? factorOf(h) : 0;
      const m = (s * at(SUM_WQ, 0) - at(SUM_WX, 0)) / at(SUM_W, 0) + s * <f32>shift;
      put(FOUR, i, s);
      put(FOUR, i + 4, factorOf(factorBits(m)));
    }
    v128.store(FOUR, errors(0, 128, v128.load(FOUR), v128.load(FOUR, 16)), 32);
    for (let i = 0; i < 4; i++) {
      if (at(FOUR, i + 8) >= least) continue;
      least = at(FOUR, i + 8);
      bestS = at(FOUR, i);
      bestM = at(FOUR, i + 4);
    }
  }
  bitsD = factorBits(bestS);
  bitsM = factorBits(-bestM);
  writeCodes(0, bestS, bestM);
}

/** Searches the block of 32 weights at `src`; quickly, without the grid of starts, where little is asked for. */
function searchPair(src: usize, importance: usize, codeMax: f32, effort: i32): void {
  if (!loadWeights(src, 32)) {
    bitsD = 0;
    bitsM = 0;
    memory.fill(CODES, 0, 32);
    return;
  }
  loadImportance(importance, 32);
  measure(0);
  const quick = importance == 0 && effort == 0;
  if (quick) fitRange(codeMax);
  else searchSub(0);
  roundPair(quick ? 0 : importance ? 2 : 1);
}

/** The grids hold (0, -1): weights that stand on 2^k levels in full fit the codes but the last one exactly. As in affine-pair.ts. */
function setEffort(codeMax: f32, wide: bool): void {
  setShape(32, codeMax, -HUGE);
  setLowEnds(wide ? -1.5 : -0.75, wide ? 0.5 : 0.75, wide ? 8 : 4);
  setHighEnds(wide ? -1.5 : -1, wide ? 0.5 : 0.75, wide ? 2 : 1, wide ? 4 : 2);
}

function q4_1Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  searchPair(src, importance, 15, effort);
  store<u16>(dst, bitsD);
  store<u16>(dst, bitsM, 2);
  packNibbles(dst + 4, CODES);
}

/** f32[rows * cols] at `src` to Q4_1 blocks; `importance` f32[cols] or 0; effort 0 fast, 1 best. */
export function q4_1_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setEffort(15, effort != 0 && importance != 0);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 20, q4_1Block);
}

function q5_1Block(src: usize, dst: usize, importance: usize, effort: i32): void {
  searchPair(src, importance, 31, effort);
  store<u16>(dst, bitsD);
  store<u16>(dst, bitsM, 2);
  store<u32>(dst, fifthBits(CODES), 4);
  packNibbles(dst + 8, CODES);
}

/** f32[rows * cols] at `src` to Q5_1 blocks; arguments as of `q4_1_encode`. */
export function q5_1_encode(src: usize, dst: usize, importance: usize, rows: i32, cols: i32, effort: i32): void {
  setEffort(31, effort != 0 && importance != 0);
  encodeRows(src, dst, importance, rows, cols, effort, 32, 24, q5_1Block);
}
