/** Lowering of `attention` with the native kernels' tiles. */
import { attentionLowering } from '../../tape/ops/attention.ts';
import { attentionScratch, EAGER_ROWS, FLASH_ROWS, TILE_KEYS } from '../kernels/attention-layout.ts';

/** Pieces of a span at least where its rows are few, so that threads share them. */
const LEAST_PIECES = 16;

export const lowerAttention = attentionLowering({
  rows: { eager: EAGER_ROWS, flash: FLASH_ROWS },
  leastPieces: LEAST_PIECES,
  keys: TILE_KEYS,
  scratch: (rows, size, width) => attentionScratch(rows, size, width),
});
