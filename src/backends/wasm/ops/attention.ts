/** Lowering of `attention`: all spans in one command, and the scratch that its tiles take. */
import {
  type AttentionAlgorithm,
  type CacheType,
  cacheRowBytes,
  type Node,
  type Span,
  spansOf,
} from '../../../graph/index.ts';
import type { Lower } from '../../tape/lower.ts';
import {
  COLUMN_STEP,
  EAGER_ROWS,
  FLASH_ROWS,
  LEAST_PIECES,
  TILE_KEYS,
} from '../kernels/attention-tiles.as.ts';
import { CACHE_F16, CACHE_F32, CACHE_Q8_0 } from '../kernels/cache-types.as.ts';

const TYPE_NUMBERS = { f32: CACHE_F32, f16: CACHE_F16, q8_0: CACHE_Q8_0 } as const satisfies Record<
  CacheType,
  number
>;

/** Rows of a piece at most. */
const ROWS = { eager: EAGER_ROWS, flash: FLASH_ROWS } as const satisfies Record<AttentionAlgorithm, number>;

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Rows that the pieces of the longest span have, as `rowsOfPiece` of the kernels says. */
function mostRows({ algorithm, heads }: Node<'attention'>, spans: readonly Span[]): number {
  const longest = spans.reduce((most, { rows }) => Math.max(most, rows), 0);
  return Math.min(ROWS[algorithm], roundUp(Math.ceil((longest * heads) / LEAST_PIECES), 4));
}

export const lowerAttention: Lower<'attention'> = (node, context) => {
  const spans = spansOf(context.dims);
  const { q, keys, values, heads, kvHeads, algorithm, window, scale } = node;
  if (!node.output) throw new Error('attention has an output');
  const from = context.place(q);
  const to = context.place(node.output);
  const size = q.cols / heads;
  const rows = mostRows(node, spans);
  const padded = roundUp(size, COLUMN_STEP);
  const positions = spans.reduce((most, { past, rows }) => Math.max(most, past + rows), 0);
  const width = algorithm === 'flash' ? TILE_KEYS : roundUp(positions, TILE_KEYS) + TILE_KEYS;
  const scratch = 4 * (rows * (2 * padded + width + 2) + 2 * TILE_KEYS * padded);
  const cache = (it: typeof keys): number[] => [context.state(it), TYPE_NUMBERS[it.type], cacheRowBytes(it)];
  const sizes = [heads, kvHeads, size, window, scale, rows, context.spans(), spans.length];
  const args = [from.address, from.stride, to.address, to.stride, ...cache(keys), ...cache(values), ...sizes];
  return algorithm === 'flash'
    ? [{ kernel: 'attention_flash', scratch, args }]
    : [{ kernel: 'attention_eager', scratch, args: [...args, width] }];
};
