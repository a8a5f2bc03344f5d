/** Generate: a model on a backend: measurement walks and sessions. The only door of the folder. */
export * from './batch-sequences.ts';
export * from './conversation.ts';
export * from './engine.ts';
export * from './generation.ts';
export * from './grammar/index.ts';
export * from './logprobs.ts';
export * from './loss.ts';
export * from './memory.ts';
export * from './overflow.ts';
export * from './pipeline/index.ts';
export * from './prefix.ts';
export * from './sampling/index.ts';
export * from './sequences.ts';
export * from './serving/index.ts';
export * from './session.ts';
export * from './tools/index.ts';
export * from './walk.ts';
