/** Core: errors, half floats, byte sources, jobs. The only door of the folder; runs anywhere. */
export * from './bytes.ts';
export * from './controls.ts';
export * from './errors.ts';
export * from './executor.ts';
export * from './half.ts';
export * from './progress.ts';
export * from './sizes.ts';
