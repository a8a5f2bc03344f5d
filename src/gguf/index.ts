/** GGUF: reading and laying out model files in any runtime. The only door of the folder. */
export { type HttpOptions, httpSource } from './http.ts';
export { DEFAULT_ALIGNMENT, DEFAULT_LIMITS, type GgufLimits } from './limits.ts';
export * from './metadata.ts';
export { readGguf } from './reader.ts';
export { parseShardName, SPLIT_KEYS, shardName, withoutSplitKeys } from './splits.ts';
export * from './types.ts';
export { type LayoutInput, layoutGguf } from './writer.ts';
