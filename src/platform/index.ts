/** Platform: files, threads and caches of Node, handed to everything below as plain interfaces. */
export * from './files.ts';
export { openGguf } from './gguf.ts';
export { availableThreads, workerPool } from './workers.ts';
export * from './workspace.ts';
