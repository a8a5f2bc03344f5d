/** Models: architectures as graphs, and what a GGUF must satisfy to be a model. The only door of the folder. */
export { checkModel } from './check.ts';
export type * from './language-model.ts';
export { readModel } from './read.ts';
