/** Generate: a model on a backend: measurement walks and sessions. The only door of the folder. */
export * from './engine.ts';
export * from './loss.ts';
export * from './memory.ts';
export * from './session.ts';
export * from './walk.ts';
