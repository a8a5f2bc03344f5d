/** Backends: what runs graphs. The only door of the folder. */
export * from './backend.ts';
export { referenceBackend } from './reference.ts';
