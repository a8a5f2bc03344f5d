/** GGUF: reading and laying out model files in any runtime. The only door of the folder. */

export * from './compare.ts';
export { type CopyPlan, pieces, writeCopy } from './copy.ts';
export { type HttpOptions, httpSource } from './http.ts';
export { DEFAULT_ALIGNMENT, DEFAULT_LIMITS, type GgufLimits } from './limits.ts';
export * from './metadata.ts';
export { readGguf } from './reader.ts';
export { type ShardRule, shardMetadata, shareOut } from './sharding.ts';
export { parseShardName, SPLIT_KEYS, shardName, withoutSplitKeys } from './splits.ts';
export { quoted } from './text.ts';
export * from './types.ts';
export { type LayoutInput, layoutGguf } from './writer.ts';
