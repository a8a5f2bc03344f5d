/** Lowering of `attention`: all spans in one command, and the scratch that its tiles take. */
import {
  type AttentionAlgorithm,
  type CacheType,
  cacheRowBytes,
  type Node,
  type Span,
  spansOf,
} from '../../../graph/index.ts';
import { CACHE_F16, CACHE_F32, CACHE_Q8_0 } from '../../wasm/kernels/cache-types.as.ts';
import type { Lower } from '../lower.ts';

const TYPE_NUMBERS = { f32: CACHE_F32, f16: CACHE_F16, q8_0: CACHE_Q8_0 } as const satisfies Record<
  CacheType,
  number
>;

/** How the kernels of a backend cut attention into pieces and tiles. */
export interface AttentionTiles {
  /** Rows of a piece at most. */
  readonly rows: Readonly<Record<AttentionAlgorithm, number>>;
  /** Pieces of a span at least where its rows are few, so that threads share them. */
  readonly leastPieces: number;
  /** Positions of a tile. */
  readonly keys: number;
  /** Bytes of scratch for pieces of `rows` rows, heads of `size` columns, and `width` scores a row. */
  scratch(rows: number, size: number, width: number): number;
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Rows that the pieces of the longest span have, as `rowsOfPiece` of the kernels says. */
function mostRows(
  { algorithm, heads }: Node<'attention'>,
  spans: readonly Span[],
  tiles: AttentionTiles,
): number {
  const longest = spans.reduce((most, { rows }) => Math.max(most, rows), 0);
  return Math.min(tiles.rows[algorithm], roundUp(Math.ceil((longest * heads) / tiles.leastPieces), 4));
}

export function attentionLowering(tiles: AttentionTiles): Lower<'attention'> {
  return (node, context) => {
    const spans = spansOf(context.dims);
    const { q, keys, values, heads, kvHeads, algorithm, window, scale } = node;
    if (!node.output) throw new Error('attention has an output');
    const from = context.place(q);
    const to = context.place(node.output);
    const size = q.cols / heads;
    const rows = mostRows(node, spans, tiles);
    const positions = spans.reduce((most, { past, rows }) => Math.max(most, past + rows), 0);
    const width = algorithm === 'flash' ? tiles.keys : roundUp(positions, tiles.keys) + tiles.keys;
    const scratch = tiles.scratch(rows, size, width);
    const cache = (it: typeof keys): number[] => [
      context.state(it),
      TYPE_NUMBERS[it.type],
      cacheRowBytes(it),
    ];
    const sizes = [heads, kvHeads, size, window, scale, rows, context.spans(), spans.length];
    const args = [
      from.address,
      from.stride,
      to.address,
      to.stride,
      ...cache(keys),
      ...cache(values),
      ...sizes,
    ];
    return algorithm === 'flash'
      ? [{ kernel: 'attention_flash', scratch, args }]
      : [{ kernel: 'attention_eager', scratch, args: [...args, width] }];
  };
}
