/**
 * The product for one token of formats that have no kernel of their own for it (single.engine.as.ts), where reading the
 * weights is what takes time: a thread claims a stretch of rows and reads
 * it from the first byte to the last, as prefetchers want it. Every 1024 weights are expanded into L1 and multiplied
 * with each token.
 */
import { PANEL_COLS, ROW_MINS, ROW_PAIRS, WIDE } from './layout.as';
import { recordAt, recordBytes } from './records.as';
import { rowNarrow1, rowWide1 } from './rows-int.as';
import { claim, rowsToClaim } from './work.as';

/** As matmul_int, with the same results. @param scratch ROW_BYTES. */
export function matvec_int(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, slot: i32, blockBytes: i32, blockSize: i32, group: i32, mins: i32,
  records: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const few = rowsToClaim(rows, threads);
  for (let piece = claim(counter) * few; piece < rows; piece = claim(counter) * few) {
    let from = weights + <usize>piece * (cols / blockSize) * blockBytes;
    for (let row = piece, end = min(rows, piece + few); row < end; row++) {
      for (let col = 0; col < cols; col += PANEL_COLS) {
        const width = min(PANEL_COLS, cols - col);
        const blocks = width / blockSize;
        call_indirect<void>(slot, from, blocks, scratch, scratch + ROW_PAIRS, scratch + ROW_MINS);
        from += <usize>blocks * blockBytes;
        for (let t = 0; t < tokens; t++) {
          const a = recordAt(records, t, cols / group, group) + <usize>(col / group) * 2 * recordBytes(group);
          const out = y + <usize>t * yStride + (<usize>row << 2);
          const sum = rowTimesToken(scratch, width / group, group, mins != 0, a, col ? load<f32>(out) : 0);
          store<f32>(out, sum);
        }
      }
    }
  }
}

function rowTimesToken(row: usize, groups: i32, group: i32, mins: bool, a: usize, sum: f32): f32 {
  if (group == WIDE) return rowWide1(row, row + ROW_PAIRS, mins ? row + ROW_MINS : 0, groups, a, sum);
  return rowNarrow1(row, row + ROW_PAIRS, mins, groups, group, a, sum);
}
