/** Models: what a GGUF must satisfy to be one. The only door of the folder. */
export { checkModel } from './check.ts';
