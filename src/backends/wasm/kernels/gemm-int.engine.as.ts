/**
 * The product of quantized activations with the weights of any format that has an integer plane.
 *
 * A thread claims a piece of 32 weight rows. For every 1024 columns it expands a panel of them into integers in its
 * scratch (64 KiB, L2) and multiplies the panel with all tokens, tile by tile. The outputs themselves carry the sums
 * from panel to panel, in the order of the columns.
 */
import { PANEL_COLS, PANEL_ROWS, WIDE } from './layout.as';
import { expandPanel } from './panel.as';
import { recordBytes } from './records.as';
import { tileNarrow1, tileNarrow2 } from './tile-narrow.as';
import { tileWide1, tileWide2 } from './tile-wide.as';
import { claim } from './work.as';

/**
 * y[t, n] = sum over k of x[t, k] w[n, k].
 * @param scratch PANEL_BYTES. @param records quantized activations.
 * @param slot the format's expand kernel. @param blockBytes,blockSize of the format. @param group,mins its plane.
 */
export function matmul_int(
  thread: i32, threads: i32, scratch: usize, counter: usize,
  weights: usize, rows: i32, cols: i32, slot: i32, blockBytes: i32, blockSize: i32, group: i32, mins: i32,
  records: usize, tokens: i32, y: usize, yStride: usize,
): void {
  const rowBytes = <usize>(cols / blockSize) * blockBytes;
  for (let piece = claim(counter) * PANEL_ROWS; piece < rows; piece = claim(counter) * PANEL_ROWS) {
    const count = min(rows - piece, PANEL_ROWS);
    const source = weights + <usize>piece * rowBytes;
    const out = y + (<usize>piece << 2);
    for (let col = 0; col < cols; col += PANEL_COLS) {
      const width = min(PANEL_COLS, cols - col);
      const from = source + <usize>(col / blockSize) * blockBytes;
      expandPanel(slot, from, rowBytes, count, width / blockSize, scratch);
      panelTimesTokens(
        scratch, count, width / group, group, mins != 0, records + <usize>(col / group) * 2 * recordBytes(group),
        2 * <usize>(cols / group) * recordBytes(group), tokens, out, yStride, col == 0,
      );
    }
  }
}

/** @param pairStride bytes from the records of a pair of tokens to the next pair's. */
function panelTimesTokens(
  panel: usize, rows: i32, groups: i32, group: i32, mins: bool,
  records: usize, pairStride: usize, tokens: i32, y: usize, yStride: usize, first: bool,
): void {
  for (let t = 0; t < tokens; t += 2, records += pairStride) {
    const pair = t + 1 < tokens;
    for (let row = 0; row < rows; row += 4) {
      const y0 = y + <usize>t * yStride + (<usize>row << 2), y1 = y0 + yStride;
      const count = min(4, rows - row);
      if (group == WIDE) {
        if (pair) tileWide2(panel, row, groups, mins, records, y0, y1, first, count);
        else tileWide1(panel, row, groups, mins, records, y0, first, count);
      } else if (pair) tileNarrow2(panel, row, groups, group, mins, records, y0, y1, first, count);
      else tileNarrow1(panel, row, groups, group, mins, records, y0, first, count);
    }
  }
}
