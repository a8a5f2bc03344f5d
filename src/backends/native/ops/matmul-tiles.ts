/** Matrix products through tiles, where the level has them: activations become bf16 terms first, whatever the weights are. */
import type { Command, LowerContext } from '../../tape/lower.ts';
import {
  BATCH_AMX_ARGS,
  batchAmxScratch,
  TILE_ACTIVATION_ARGS,
  tileActivationsScratch,
  tileKernelName,
  tileLayout,
  type WeightKind,
} from '../kernels/amx/index.ts';
import { argsOf } from './args.ts';
import type { Planes, Product } from './matmul.ts';

export function tileProduct(
  { tokens, rows, cols, x, weights, y }: Product,
  kind: WeightKind,
  planes: Planes,
  context: LowerContext,
): Command[] {
  const { name, terms } = tileKernelName(kind, planes);
  const tiles = context.temporary(tileLayout(tokens, cols, terms.activations).bytes);
  const from = { x: x.address, xStride: x.stride, tokens, cols, tiles };
  const to = { weights, rows, cols, tiles, tokens, y: y.address, yStride: y.stride };
  return [
    {
      kernel: `tile_activations_${terms.activations}`,
      scratch: tileActivationsScratch(terms.activations),
      args: argsOf(TILE_ACTIVATION_ARGS, from),
    },
    { kernel: name, scratch: batchAmxScratch(terms).bytes, args: argsOf(BATCH_AMX_ARGS, to) },
  ];
}
