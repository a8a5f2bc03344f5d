/** Quantize: from a model to files of fewer bits, planned whole, made in one pass. The only door. */

export { type PlanKeys, planKeys } from './key.ts';
export { type FileResult, MANIFEST } from './manifest.ts';
export * from './options.ts';
export * from './plan.ts';
export * from './recipes/index.ts';
export { type RunResult, type RunSettings, runQuantization } from './run.ts';
export type { Checksum, Hasher, Log, NewHasher, PartialFile, Workspace } from './workspace.ts';
