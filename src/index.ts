/**
 * bitmill's main door: everything that runs in Node and in the browser alike.
 * Files, threads and caches of Node are behind `bitmill/node`.
 */
export * from './backends/index.ts';
export * from './convert/index.ts';
export * from './core/index.ts';
export * from './evaluate/index.ts';
export * from './generate/index.ts';
export * from './gguf/index.ts';
export * from './graph/index.ts';
export * from './hf/index.ts';
export * from './imatrix/index.ts';
export * from './models/index.ts';
export * from './quantize/index.ts';
// Both quants and text have options of this name; the encoder's keeps it here.
export type { EncodeOptions } from './quants/index.ts';
export * from './quants/index.ts';
export * from './text/index.ts';
