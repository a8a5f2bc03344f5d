/**
 * Lowering of `attention`. Which kernels do it, and in what pieces, changes no bits: prompts in pieces of many rows,
 * few rows (generation) in parts of the positions, eager attention with room for whole rows of scores.
 */
import { type CacheType, cacheRowBytes, type Node, type Span, spansOf } from '../../../graph/index.ts';
import type { Command, Lower, LowerContext } from '../../tape/lower.ts';
import { CACHE_F16, CACHE_F32, CACHE_Q8_0 } from '../../wasm/kernels/cache-types.as.ts';
import { attentionEager } from '../kernels/attention-eager.ts';
import { attentionFlash } from '../kernels/attention-flash.ts';
import {
  attentionScratch,
  BLOCK_ROWS,
  EAGER_ROWS,
  FLASH_ROWS,
  PART_KEYS,
  recordBytes,
  TILE_KEYS,
} from '../kernels/attention-layout.ts';
import { attentionMerge, attentionParts } from '../kernels/attention-parts.ts';
import { argsOf } from './args.ts';

const TYPE_NUMBERS = { f32: CACHE_F32, f16: CACHE_F16, q8_0: CACHE_Q8_0 } as const satisfies Record<
  CacheType,
  number
>;

/** Pieces of work a thread at least, where there are rows enough: then threads end at about the same time. */
const PIECES = 4;
/** Rows of a key-value head up to which a span's caches are read part by part: more share a tile well enough. */
const FEW_ROWS = 24;

/** What all kernels of attention take; `most` is what the way of doing it says. */
function commonArgs(node: Node<'attention'>, context: LowerContext, most: number) {
  const { q, keys, values, heads, kvHeads, window, scale, output } = node;
  if (!output) throw new Error('attention without an output');
  const from = context.place(q);
  const to = context.place(output);
  return {
    q: from.address,
    qStride: from.stride,
    out: to.address,
    outStride: to.stride,
    keys: context.state(keys),
    keyType: TYPE_NUMBERS[keys.type],
    keyBytes: cacheRowBytes(keys),
    values: context.state(values),
    valueType: TYPE_NUMBERS[values.type],
    valueBytes: cacheRowBytes(values),
    heads,
    kvHeads,
    size: q.cols / heads,
    window,
    scale,
    most,
    span: context.spans(),
    spans: spansOf(context.dims).length,
  };
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

const positionsOf = (spans: readonly Span[]): number =>
  spans.reduce((most, { past, rows }) => Math.max(most, past + rows), 0);

/** Rows of a piece: so many that there are pieces for all threads, in whole blocks. */
function rowsOfPiece({ heads }: Node<'attention'>, { dims, threads }: LowerContext, most: number): number {
  const share = Math.ceil((dims.T * heads) / (PIECES * threads));
  return Math.min(most, roundUp(share, BLOCK_ROWS));
}

function flash(node: Node<'attention'>, context: LowerContext): Command[] {
  const most = rowsOfPiece(node, context, FLASH_ROWS);
  const args = commonArgs(node, context, most);
  const scratch = attentionScratch(most, args.size, TILE_KEYS);
  return [{ kernel: attentionFlash.name, scratch, args: argsOf(attentionFlash.args, args) }];
}

function eager(node: Node<'attention'>, context: LowerContext, spans: readonly Span[]): Command[] {
  const most = rowsOfPiece(node, context, EAGER_ROWS);
  const width = roundUp(positionsOf(spans), TILE_KEYS);
  const args = { ...commonArgs(node, context, most), width };
  const scratch = attentionScratch(most, args.size, width);
  return [{ kernel: attentionEager.name, scratch, args: argsOf(attentionEager.args, args) }];
}

/** Groups of heads, so that there are pieces for all threads; as few as that allows, for whole rows are read fastest. */
function groupsOf({ kvHeads }: Node<'attention'>, { threads }: LowerContext, spans: readonly Span[]): number {
  if (threads === 1) return 1;
  const parts = spans.reduce((sum, { past, rows }) => sum + Math.ceil((past + rows) / PART_KEYS), 0);
  return Math.min(kvHeads, Math.ceil((PIECES * threads) / parts));
}

function inParts(
  node: Node<'attention'>,
  context: LowerContext,
  spans: readonly Span[],
  most: number,
): Command[] {
  const common = commonArgs(node, context, most);
  const parts = Math.ceil(positionsOf(spans) / PART_KEYS);
  const rows = context.dims.T * node.heads;
  const state = context.temporary(parts * rows * recordBytes(common.size));
  const args = { ...common, groups: groupsOf(node, context, spans), parts, rows, state };
  const room = node.kvHeads * (most + BLOCK_ROWS);
  return [attentionParts, attentionMerge].map((kernel) => ({
    kernel: kernel.name,
    scratch: attentionScratch(room, common.size, TILE_KEYS),
    args: argsOf(kernel.args, args),
  }));
}

export const lowerAttention: Lower<'attention'> = (node, context) => {
  const spans = spansOf(context.dims);
  if (node.algorithm === 'eager') return eager(node, context, spans);
  const longest = spans.reduce((most, { rows }) => Math.max(most, rows), 0);
  const rows = longest * (node.heads / node.kvHeads);
  return rows <= FEW_ROWS ? inParts(node, context, spans, rows) : flash(node, context);
};
