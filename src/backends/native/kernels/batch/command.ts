/** What a lowering needs of a product of many tokens: its arguments and its scratch. */
import type { ActivationLayout } from '../../activations.ts';
import type { Level } from '../../level.ts';
import { type BatchArg, scratchOf } from './shape.ts';

/** The product y [tokens, rows] = x [tokens, cols] times weights [rows, cols]. Addresses; the stride of y in bytes. */
export interface BatchProduct {
  readonly weights: number;
  readonly rows: number;
  readonly cols: number;
  readonly tokens: number;
  readonly y: number;
  readonly yStride: number;
}

/** Bytes of scratch that each thread needs. */
export const batchScratch = (level: Level): number => scratchOf(level).bytes;

/**
 * Arguments of `batch_<format>`; `BATCH_ARGS` gives their order.
 * @param activations address of what `quantize_bytes` wrote, and `layout` how it lies there: for all its tokens. The
 * product may take fewer of them, from the first on, if there is one plane.
 */
export function batchArgs(
  { weights, rows, cols, tokens, y, yStride }: BatchProduct,
  activations: number,
  layout: ActivationLayout,
): Record<BatchArg, number> {
  const { codeStride, sumStride, scaleStride, planes } = layout;
  return {
    weights,
    rows,
    cols,
    codes: activations + layout.codes,
    codeStride,
    sums: activations + layout.sums,
    sumStride,
    scales: activations + layout.scales,
    scaleStride,
    planes,
    tokens,
    y,
    yStride,
  };
}
