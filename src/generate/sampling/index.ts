/** Sampling: the choice of the next token. */
export type { Constraint } from './constraint.ts';
export type { PieceTokenizer } from './dry.ts';
export * from './options.ts';
export { largest, mostLikely } from './ranking.ts';
export { Sampler } from './sampler.ts';
