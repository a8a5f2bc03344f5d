/** The walk over a tape (tape/encode.ts) in shared memory, which every thread makes in step. */
import { BitmillError } from '../../core/index.ts';
import { BARRIER_BYTES, type Job } from '../tape/job.ts';
import type { Kernel } from './engine.ts';

/** Places in the barrier's state; see `kernels/barrier.engine.as.ts`. */
const GENERATION = 1;
const ABANDONED = 3;

/** Looks at the barrier before a thread sleeps: about ten microseconds. */
const SPINS = 10_000;

/** What a thread needs to walk. */
export interface Walker {
  readonly memory: WebAssembly.Memory;
  readonly kernels: readonly Kernel[];
  readonly names: readonly string[];
  readonly barrier: Kernel;
  readonly thread: number;
  readonly threads: number;
}

/**
 * Runs this thread's share of every command.
 * @returns false if another thread abandoned the run. @throws BitmillError: a kernel stopped; which one, and why.
 */
export function walk({ memory, kernels, names, barrier, thread, threads }: Walker, job: Job): boolean {
  const tape = new Float64Array(memory.buffer, job.tape, job.length);
  const scratch = job.scratch + thread * job.scratchStride;
  let counter = job.counters;
  for (let at = 0; at < tape.length; ) {
    const number = tape[at];
    const count = tape[at + 1];
    const args = [thread, threads, scratch, counter];
    for (let i = 0; i < count; i++) args.push(tape[at + 2 + i]);
    try {
      kernels[number](...args);
    } catch (error) {
      abandon(memory, job.barrier);
      throw new BitmillError('failure', `kernel ${names[number]} stopped: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    if (threads > 1 && barrier(job.barrier, threads, SPINS)) return false;
    at += 2 + count;
    counter += 4;
  }
  return true;
}

/** Kernels execute `unreachable` where an index is not one of its table. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message === 'unreachable' ? 'a token, row or target that does not exist' : message;
}

/** Wakes all threads of a run and sends them home: each leaves at its next barrier. */
export function abandon(memory: WebAssembly.Memory, barrier: number): void {
  const state = new Int32Array(memory.buffer, barrier, BARRIER_BYTES / 4);
  Atomics.store(state, ABANDONED, 1);
  Atomics.add(state, GENERATION, 1);
  Atomics.notify(state, GENERATION);
}
