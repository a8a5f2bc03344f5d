/** Convert: checkpoints to GGUF, and quantized GGUF back to floats. The only door of the folder; runs anywhere. */
export { ARCHITECTURES } from './architectures/index.ts';
export * from './convert.ts';
export * from './dequantize.ts';
export { nameOf } from './general.ts';
export { convertJob, type Tally } from './rows.ts';
export { KNOWN_PRE } from './tokenizer/pre.ts';
