/** Products of many tokens with tiles: which kernels there are, and what a caller has to know of them. */
import type { KernelSource } from '../../kernel.ts';
import type { Unpack } from '../../unpack/index.ts';
import { TILE_ACTIVATIONS } from './activations.ts';
import { batchAmxKernel } from './product.ts';
import { FLOATS, type FloatFormat, termsOf, type WeightKind } from './weights.ts';

export { TILE_ACTIVATION_ARGS, tileActivationsScratch } from './activations.ts';
export { BATCH_AMX_ARGS, batchAmxScratch, tileKernelName } from './product.ts';
export { tileLayout } from './shape.ts';
export { floatFormat, type WeightKind } from './weights.ts';

/** For levels with tiles; at others they cannot be assembled. */
export function tileKernels(unpacks: readonly Unpack[]): KernelSource[] {
  const kinds: WeightKind[] = [...unpacks, ...(Object.keys(FLOATS) as FloatFormat[])];
  const products = kinds.flatMap((kind) => {
    // Floats have the same terms for both.
    const planes = typeof kind === 'string' ? ([1] as const) : ([1, 2] as const);
    return planes.map((count) => batchAmxKernel(kind, termsOf(kind, count)));
  });
  return [...Object.values(TILE_ACTIVATIONS), ...products];
}
