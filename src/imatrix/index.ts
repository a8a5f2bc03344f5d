/**
 * Importance matrices: what they are, their two file forms, how they are collected and merged, what they say. The only
 * door of the folder.
 */
export * from './chunks.ts';
export * from './collect.ts';
export * from './files.ts';
export * from './half-origin.ts';
export * from './merge.ts';
export * from './partial.ts';
export * from './perplexity.ts';
export * from './statistics.ts';
export * from './types.ts';
