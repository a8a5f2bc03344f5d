/** Lowering of `attention`: how many rows a piece of work has, and the scratch that its tiles take. */
import {
  type AttentionAlgorithm,
  type CacheType,
  cacheRowBytes,
  type Dims,
  type Node,
} from '../../../graph/index.ts';
import { COLUMN_STEP, EAGER_ROWS, FLASH_ROWS, TILE_KEYS } from '../kernels/attention-tiles.as.ts';
import { CACHE_F16, CACHE_F32, CACHE_Q8_0 } from '../kernels/cache-types.as.ts';
import type { Lower } from '../lower.ts';

const TYPE_NUMBERS = { f32: CACHE_F32, f16: CACHE_F16, q8_0: CACHE_Q8_0 } as const satisfies Record<
  CacheType,
  number
>;

/** Rows of a piece at most. */
const ROWS = { eager: EAGER_ROWS, flash: FLASH_ROWS } as const satisfies Record<AttentionAlgorithm, number>;

/** Pieces wanted at least where there are few rows, so that threads share them; the same whatever the threads. */
const PIECES = 16;

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Rows of a piece: a multiple of four, the rows that a kernel takes together. */
function rowsOfPiece(node: Node<'attention'>, dims: Dims): number {
  const share = Math.ceil((dims.T * node.heads) / PIECES);
  return Math.min(ROWS[node.algorithm], roundUp(share, 4));
}

export const lowerAttention: Lower<'attention'> = (node, context) => {
  const { dims } = context;
  const { q, keys, values, heads, kvHeads, algorithm, window, scale } = node;
  if (!node.output) throw new Error('attention has an output');
  const from = context.place(q);
  const to = context.place(node.output);
  const size = q.cols / heads;
  const rows = rowsOfPiece(node, dims);
  const padded = roundUp(size, COLUMN_STEP);
  const width = algorithm === 'flash' ? TILE_KEYS : roundUp(dims.past + dims.T, TILE_KEYS) + TILE_KEYS;
  const scratch = 4 * (rows * (2 * padded + width + 2) + 2 * TILE_KEYS * padded);
  const cache = (it: typeof keys): number[] => [context.state(it), TYPE_NUMBERS[it.type], cacheRowBytes(it)];
  const sizes = [dims.T, dims.past, heads, kvHeads, size, window, rows, scale];
  const args = [from.address, from.stride, to.address, to.stride, ...cache(keys), ...cache(values), ...sizes];
  return algorithm === 'flash'
    ? [{ kernel: 'attention_flash', scratch, args }]
    : [{ kernel: 'attention_eager', scratch, args: [...args, width] }];
};
