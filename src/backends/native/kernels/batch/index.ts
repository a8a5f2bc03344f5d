/** Products of many tokens with quantized weights. */
export { type BatchProduct, batchArgs, batchScratch } from './command.ts';
export { batchKernel } from './kernel.ts';
export { BATCH_ARGS, type BatchArg } from './shape.ts';
