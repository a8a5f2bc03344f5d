/** Products of many tokens with tiles. */
export { TILE_ACTIVATIONS, tileActivationsScratch } from './activations.ts';
export { BATCH_AMX_ARGS, type BatchAmxArg, batchAmxKernel, batchAmxScratch } from './product.ts';
export { type Terms, type TileLayout, tileLayout } from './shape.ts';
export { FLOATS, type FloatFormat, termsOf, type WeightKind } from './weights.ts';
