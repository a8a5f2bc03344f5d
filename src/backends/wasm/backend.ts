/**
 * The wasm backend: WebAssembly SIMD over one shared memory, on any number of threads, in Node and browsers. All
 * results are the same bits on every machine and for every number of threads.
 */
import { usageError } from '../../core/index.ts';
import type { Backend } from '../backend.ts';
import { TapeBackend } from '../tape/backend.ts';
import { inlineCrew, type SpawnThread, workerCrew } from './crew.ts';
import { compileEngine, expandSlots, isMultiplied, kernelNames } from './engine.ts';
import { EngineMemory } from './memory.ts';
import { LOWERINGS } from './ops/index.ts';

export interface WasmOptions {
  /** Threads that compute; more than one needs `spawn`. Default 1. */
  readonly threads?: number;
  /** Makes worker threads. Without it, everything runs on the caller's thread. */
  readonly spawn?: SpawnThread;
  /**
   * Whether relaxed SIMD may be used where the machine has it and passes a self-test; default true. Tokens one at a
   * time are faster then, with activations rounded to 8 bits as in llama.cpp; batches are the same.
   */
  readonly relaxed?: boolean;
  /** Limit of all buffers and workspace. Default: about 4 GiB, which is also the most. */
  readonly maxBytes?: number;
}

export async function wasmBackend({
  threads = 1,
  spawn,
  maxBytes,
  relaxed = true,
}: WasmOptions = {}): Promise<Backend> {
  if (!Number.isInteger(threads) || threads < 1) throw usageError(`${threads} threads: at least 1 is needed`);
  if (threads > 1 && !spawn) throw new Error(`${threads} threads need a way to spawn them`);
  const memory = new EngineMemory(maxBytes ?? Number.POSITIVE_INFINITY);
  const module = await compileEngine(relaxed);
  const site = { memory: memory.wasm, module };
  const crew = spawn ? await workerCrew(site, threads, spawn) : inlineCrew(site);
  const slots = expandSlots(module);
  return new TapeBackend({
    name: 'wasm',
    memory,
    crew,
    lowerings: LOWERINGS,
    kernels: new Map(kernelNames(module).map((name, i) => [name, i])),
    slots,
    multiplies: (format) => isMultiplied(format, slots),
  });
}
