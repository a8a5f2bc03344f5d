/**
 * The tape: a run's commands as f64 numbers in shared memory, and the walk over it that every thread makes in step.
 * A command is the kernel's number, the count of its arguments, and the arguments.
 */
import { BitmillError } from '../../core/index.ts';
import type { Kernel } from './engine.ts';
import type { Command } from './lower.ts';

/** Bytes of the barrier's state; see `kernels/barrier.engine.as.ts`. */
export const BARRIER_BYTES = 64;
const GENERATION = 1;
const ABANDONED = 3;

/** Looks at the barrier before a thread sleeps: about ten microseconds. */
const SPINS = 10_000;

/** Where the parts of a run lie in shared memory. */
export interface Job {
  readonly tape: number;
  /** Numbers on the tape. */
  readonly length: number;
  /** Zeroed i32s, one a command. */
  readonly counters: number;
  /** Private bytes of thread 0; those of the others follow, `scratchStride` bytes apart. */
  readonly scratch: number;
  readonly scratchStride: number;
  /** State of the barrier, zeroed. */
  readonly barrier: number;
}

/** What a thread needs to walk. */
export interface Walker {
  readonly memory: WebAssembly.Memory;
  readonly kernels: readonly Kernel[];
  readonly names: readonly string[];
  readonly barrier: Kernel;
  readonly thread: number;
  readonly threads: number;
}

/** Commands as tape. Plain loops: a token encodes hundreds of them. @param numbers of the kernels by name. */
export function encode(commands: readonly Command[], numbers: ReadonlyMap<string, number>): number[] {
  const tape: number[] = [];
  for (const { kernel, args } of commands) {
    const number = numbers.get(kernel);
    if (number === undefined) throw new Error(`the engine has no kernel "${kernel}"`);
    tape.push(number, args.length);
    for (const arg of args) tape.push(arg);
  }
  return tape;
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
