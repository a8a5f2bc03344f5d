/** Checkpoints of Hugging Face: safetensors, configs and tokenizer files. The only door of the folder; runs anywhere. */
export {
  CONFIG_FILE,
  INDEX_FILE,
  isPlainName,
  openCheckpoint,
  SINGLE_FILE,
  weightFiles,
} from './checkpoint.ts';
export { asRecord, parseJson } from './json.ts';
export * from './safetensors.ts';
export * from './sentencepiece.ts';
export type * from './types.ts';
