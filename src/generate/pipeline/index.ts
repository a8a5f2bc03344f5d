/** Pipelines: a model in one call, in the shapes of transformers.js. The only door of the folder. */

export {
  checkTask,
  type Ground,
  isGgufFile,
  type PortableModel,
  pipeline,
  pipelineOn,
} from './open.ts';
export {
  checkPipelineOptions,
  type EngineChoices,
  type ModelNameOptions,
  type PipelineOptions,
  type ProgressInfo,
} from './pipeline-options.ts';
export { type ResponseFormat, ResponseGrammars } from './response-format.ts';
export { type Streamer, TextStreamer, type TextStreamerOptions } from './streamer.ts';
export type * from './types.ts';
