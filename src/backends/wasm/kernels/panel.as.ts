/**
 * A panel: up to 32 weight rows by up to 1024 columns as integers (or 512 as f32), expanded in a thread's scratch.
 *
 * Rows are 2048 + 64 bytes apart, an odd number of cache lines, so that the four rows of a tile do not fall
 * into the same sets of the cache.
 */

/** Columns of a panel: a multiple of every block. */
export const PANEL_COLS: i32 = 1024;
export const PANEL_ROWS: i32 = 32;
export const FLOAT_COLS: i32 = 512;
export const FLOAT_STRIDE: usize = 2112;
/** Bytes from row to row of codes (i16), of (d, dmin) pairs (f32, at most 64 groups of 16) and of mins (i16). */
export const CODE_STRIDE: usize = 2112;
export const PAIR_STRIDE: usize = 576;
export const MIN_STRIDE: usize = 128;
export const PAIRS_AT: usize = 32 * CODE_STRIDE;
export const MINS_AT: usize = PAIRS_AT + 32 * PAIR_STRIDE;
export const PANEL_BYTES: usize = MINS_AT + 32 * MIN_STRIDE;

/** Expands `rows` rows of `blocks` blocks each; the rows begin `rowBytes` apart at `src`. */
export function expandPanel(
  slot: i32, src: usize, rowBytes: usize, rows: i32, blocks: i32, panel: usize,
): void {
  for (let r: usize = 0; r < <usize>rows; r++) {
    call_indirect<void>(
      slot, src + r * rowBytes, blocks,
      panel + r * CODE_STRIDE, panel + PAIRS_AT + r * PAIR_STRIDE, panel + MINS_AT + r * MIN_STRIDE,
    );
  }
}
