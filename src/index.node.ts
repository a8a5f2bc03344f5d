/**
 * The main door in Node: the same, and a `pipeline` that knows paths, repositories and embedded models besides.
 */
export * from './index.ts';
export { type PipelineOptions, type ProgressInfo, pipeline } from './platform/index.ts';
