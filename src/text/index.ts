/** Text: tokenizers and chat templates. The only door of the folder; runs anywhere. */
export * from './chat.ts';
export { tokenizerOf } from './from-gguf.ts';
export { type JsonOptions, tokenizerFromJson } from './from-json.ts';
export type * from './types.ts';
