/** Products of many tokens with quantized weights. */
export { batchKernel } from './kernel.ts';
export { BATCH_ARGS, type BatchArg, scratchOf } from './shape.ts';
