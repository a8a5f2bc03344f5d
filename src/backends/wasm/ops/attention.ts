/** Lowering of `attention` with the engine's tiles. */
import { attentionLowering, roundUp } from '../../tape/ops/attention.ts';
import {
  COLUMN_STEP,
  EAGER_ROWS,
  FLASH_ROWS,
  LEAST_PIECES,
  TILE_KEYS,
} from '../kernels/attention-tiles.as.ts';

export const lowerAttention = attentionLowering({
  rows: { eager: EAGER_ROWS, flash: FLASH_ROWS },
  leastPieces: LEAST_PIECES,
  keys: TILE_KEYS,
  scratch: (rows, size, width) => {
    const padded = roundUp(size, COLUMN_STEP);
    return 4 * (rows * (2 * padded + width + 2) + 2 * TILE_KEYS * padded);
  },
});
