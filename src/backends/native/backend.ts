/**
 * The native backend: kernels assembled at run time for this machine's level, on threads of the system, in memory
 * without a limit of 4 GiB. Results are the same bits for every number of threads of one level.
 *
 * Products with quantized weights round activations to 8 bits, as llama.cpp does; a `wide` backend to 15, which is exact
 * enough to measure formats with.
 */
import { usageError } from '../../core/index.ts';
import type { Backend } from '../backend.ts';
import { TapeBackend } from '../tape/backend.ts';
import { NativeCrew } from './crew.ts';
import { KernelTable } from './kernel-table.ts';
import { KERNELS } from './kernels/index.ts';
import type { Level } from './level.ts';
import { NativeMemory } from './memory.ts';
import { isMultiplied, nativeLowerings } from './ops/index.ts';
import type { NativeSystem } from './system.ts';
import { MappedWeights } from './weights.ts';

export interface NativeOptions {
  readonly system: NativeSystem;
  /** Threads that compute. Default 1. */
  readonly threads?: number;
  readonly level: Level;
  /**
   * Whether activations keep 15 bits in products with quantized weights, rather than 8. Default false. Without effect on
   * formats that are widened.
   */
  readonly wide?: boolean;
  /**
   * Whether weights are copied into memory of their own, in huge pages where the system has them, instead of used in the
   * file's pages: single tokens are some 10 % faster (Zen 4), loading is slower and processes share nothing. Default false.
   */
  readonly copyWeights?: boolean;
  /** Limit of all buffers and workspace in bytes. Default: none. */
  readonly maxBytes?: number;
}

/** @throws usage error: no threads. resources error: the system gives no threads, memory or executable pages. */
export function nativeBackend({
  system,
  threads = 1,
  level,
  wide = false,
  copyWeights = false,
  maxBytes = Number.POSITIVE_INFINITY,
}: NativeOptions): Backend {
  if (!Number.isInteger(threads) || threads < 1) throw usageError(`${threads} threads: at least 1 is needed`);
  const mapped = new MappedWeights(system);
  const kernels = new KernelTable(system, level, KERNELS);
  return new TapeBackend({
    name: 'native',
    level: level.name,
    memory: new NativeMemory(system, maxBytes),
    crew: new NativeCrew(system, kernels, threads),
    lowerings: nativeLowerings(level, wide ? 2 : 1),
    kernels,
    slots: new Map(),
    multiplies: isMultiplied,
    hold: ({ place }, bytes) => (place && !copyWeights ? mapped.hold(place, bytes) : undefined),
  });
}
