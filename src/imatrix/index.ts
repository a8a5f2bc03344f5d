/** Importance matrices: what they are, their two file forms, and how they fit a model. The only door. */
export * from './files.ts';
export * from './types.ts';
