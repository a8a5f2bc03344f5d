/** The main door in Node: the same, and `pipeline` knows paths, repositories and embedded models besides. */
export * from './index.ts';
export { type NodePipelineOptions, pipeline } from './platform/index.ts';
