/** Expands weights into a panel; layout.as.ts says how it lies. */
import { CODE_STRIDE, MIN_STRIDE, MINS_AT, PAIR_STRIDE, PAIRS_AT } from './layout.as';

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
