/** Worker threads of Node for the engine. The worker is the compiled file beside this one. */
import v8 from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { SpawnThread } from '../backends/index.ts';

/** Run from source (tests), the worker is the compiled one: Node 20 does not run TypeScript. */
const ENTRY = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/platform/engine-worker.js', import.meta.url)
  : new URL('./engine-worker.js', import.meta.url);

/** Node from here on has relaxed SIMD on, and its flag is gone. */
const NODE_WITH_RELAXED_SIMD = 22;

/** Lets WebAssembly use relaxed SIMD in this process: Node 20 leaves it off. Call before a backend is opened. */
export function allowRelaxedSimd(): void {
  if (Number.parseInt(process.versions.node, 10) >= NODE_WITH_RELAXED_SIMD) return;
  v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
}

/** A thread keeps the process alive while it owes an answer, not while it waits for work. */
export const spawnEngineThread: SpawnThread = () => {
  const worker = new Worker(ENTRY, { execArgv: [] }); // the program's own flags need not suit it
  worker.unref();
  let cause: string | undefined;
  let expected = false;
  return {
    post: (message) => {
      worker.ref();
      worker.postMessage(message);
    },
    onMessage: (handler) => {
      worker.on('message', (message) => {
        worker.unref();
        handler(message);
      });
    },
    onDeath: (handler) => {
      worker.on('error', (error) => {
        cause = error instanceof Error ? error.message : String(error);
      });
      worker.on('messageerror', (error) => handler(error.message));
      worker.on('exit', (code) => {
        if (!expected) handler(cause ?? `it exited with code ${code}`);
      });
    },
    terminate: async () => {
      expected = true;
      await worker.terminate();
    },
  };
};
