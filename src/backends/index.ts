/** Backends: what runs graphs. The only door of the folder. */
export * from './backend.ts';
export * from './native/index.ts';
export { referenceBackend } from './reference.ts';
export { type WasmOptions, wasmBackend } from './wasm/backend.ts';
export type { SpawnThread, ThreadPort } from './wasm/crew.ts';
export { engineThread } from './wasm/thread.ts';
