/**
 * The product of quantized activations with the weights of any format that has an integer plane.
 *
 * Weights are expanded into integers in the thread's scratch, in panels of 1024 columns, and a panel is multiplied with
 * the tokens tile by tile. The outputs themselves carry the sums from panel to panel, in the order of the columns; so a
 * token has the same bits in any number of tokens. Many tokens: a panel of 32 rows (64 KiB, L2) at a time. Few: four rows
 * at a time, read from their begin to their end as prefetchers want it.
 */
import { PANEL_COLS, PANEL_ROWS, WIDE } from './layout.as';
import { expandRow, gatherPairs } from './panel.as';
import { recordBytes } from './records.as';
import { tileNarrow1, tileNarrow2 } from './tile-narrow.as';
import { tileWide1, tileWide2 } from './tile-wide.as';
import { claim, rowsToClaim } from './work.as';

/** Tokens of a block, an even number: their records and four rows of a panel are in L1 together. */
const BLOCK_TOKENS = 8;
/** Columns of four rows that fill a panel's 32 rows. */
const QUAD_COLS = 8 * PANEL_COLS;

/**
 * y[t, n] = sum over k of x[t, k] w[n, k], for many tokens.
 * @param scratch PANEL_BYTES. @param records quantized activations.
 * @param slot the format's expand kernel. @param blockBytes,blockSize of the format. @param group,mins its plane.
 */
export function matmul_int(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, slot: i32, blockBytes: i32, blockSize: i32, group: i32, mins: i32,
  records: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const rowBytes = <usize>(cols / blockSize) * blockBytes;
  const pairStride = 2 * <usize>(cols / group) * recordBytes(group);
  for (let piece = claim(counter) * PANEL_ROWS; piece < rows; piece = claim(counter) * PANEL_ROWS) {
    const count = min(rows - piece, PANEL_ROWS);
    for (let col = 0; col < cols; col += PANEL_COLS) {
      const width = min(PANEL_COLS, cols - col);
      const from = weights + <usize>piece * rowBytes + <usize>(col / blockSize) * blockBytes;
      for (let r = 0; r < count; r++) expandRow(slot, from + <usize>r * rowBytes, width / blockSize, scratch, r);
      const a = records + <usize>(col / group) * 2 * recordBytes(group);
      for (let block = 0; block < tokens; block += BLOCK_TOKENS) {
        const some = min(BLOCK_TOKENS, tokens - block);
        const at = a + <usize>(block >> 1) * pairStride;
        let out = y + <usize>block * yStride + (<usize>piece << 2);
        for (let r = 0; r < count; r += 4, out += 16) {
          quadTimesTokens(
            scratch, r, width / group, group, mins != 0, at, pairStride, some, out, yStride, col == 0, min(4, count - r),
          );
        }
      }
    }
  }
}

/** As matmul_int, with the same results, for few tokens. */
export function matmul_few_int(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, slot: i32, blockBytes: i32, blockSize: i32, group: i32, mins: i32,
  records: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const rowBytes = <usize>(cols / blockSize) * blockBytes;
  const pairStride = 2 * <usize>(cols / group) * recordBytes(group);
  const stretch = rowsToClaim(rows, threads);
  for (let piece = claim(counter) * stretch; piece < rows; piece = claim(counter) * stretch) {
    for (let row = piece, end = min(rows, piece + stretch); row < end; row += 4) {
      const count = min(4, end - row);
      const out = y + (<usize>row << 2);
      for (let begin = 0; begin < cols; begin += QUAD_COLS) {
        const stop = min(cols, begin + QUAD_COLS);
        for (let r = 0; r < count; r++) {
          let from = weights + <usize>(row + r) * rowBytes + <usize>(begin / blockSize) * blockBytes;
          for (let col = begin, slotRow = r; col < stop; col += PANEL_COLS, slotRow += 4) {
            const blocks = min(PANEL_COLS, stop - col) / blockSize;
            expandRow(slot, from, blocks, scratch, slotRow);
            from += <usize>blocks * blockBytes;
          }
        }
        for (let col = begin, quad = 0; col < stop; col += PANEL_COLS, quad += 4) {
          const a = records + <usize>(col / group) * 2 * recordBytes(group);
          const groups = min(PANEL_COLS, stop - col) / group;
          quadTimesTokens(
            scratch, quad, groups, group, mins != 0, a, pairStride, tokens, out, yStride, col == 0, count,
          );
        }
      }
    }
  }
}

/**
 * Panel rows `row` .. `row + 4` times tokens.
 * @param pairStride bytes from the records of a pair of tokens to the next pair's. @param count of the rows that exist.
 */
function quadTimesTokens(
  panel: usize, row: i32, groups: i32, group: i32, mins: bool,
  a: usize, pairStride: usize, tokens: i32, y: usize, yStride: usize, first: bool, count: i32,
): void {
  gatherPairs(panel, row, groups);
  for (; tokens > 0; tokens -= 2, a += pairStride, y += 2 * yStride) {
    if (group == WIDE) {
      if (tokens > 1) tileWide2(panel, row, groups, mins, a, y, y + yStride, first, count);
      else tileWide1(panel, row, groups, mins, a, y, first, count);
    } else if (tokens > 1) tileNarrow2(panel, row, groups, group, mins, a, y, y + yStride, first, count);
    else tileNarrow1(panel, row, groups, group, mins, a, y, first, count);
  }
}
