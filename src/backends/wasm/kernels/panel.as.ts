/** Expands weights into a panel; layout.as.ts says how it lies. */
import { CODE_STRIDE, MIN_STRIDE, MINS_AT, PAIR_STRIDE, PAIRS_AT, QUAD_BYTES, QUADS_AT } from './layout.as';
import { gatherF32 } from './sums.as';

/** Expands `blocks` blocks at `src` into a row of a panel. */
export function expandRow(slot: i32, src: usize, blocks: i32, panel: usize, row: usize): void {
  call_indirect<void>(
    slot, src, blocks,
    panel + row * CODE_STRIDE, panel + PAIRS_AT + row * PAIR_STRIDE, panel + MINS_AT + row * MIN_STRIDE,
  );
}

/** Puts the pairs of panel rows `row` .. `row + 4` side by side, group by group, where tiles look for them. */
export function gatherPairs(panel: usize, row: usize, groups: i32): void {
  let from = panel + PAIRS_AT + row * PAIR_STRIDE;
  const end = from + (<usize>groups << 3);
  for (let to = panel + QUADS_AT; from < end; from += 8, to += QUAD_BYTES) {
    v128.store(to, gatherF32(from, PAIR_STRIDE));
    v128.store(to, gatherF32(from + 4, PAIR_STRIDE), 16);
  }
}
