/** Models: architectures as graphs, and what a GGUF must satisfy to be a model. The only door of the folder. */
export { readModel } from './architectures/index.ts';
export { checkModel } from './check.ts';
export type * from './language-model.ts';
