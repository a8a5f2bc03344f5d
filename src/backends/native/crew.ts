/**
 * The crew: threads of the system that walk tapes in machine code. Thread 0 is whoever calls `run`: a thread of the
 * system's pool, so that JavaScript's event loop goes on meanwhile, or for runs of a moment this very thread.
 */
import { BitmillError } from '../../core/index.ts';
import type { Crew, Job } from '../tape/job.ts';
import { STATUS_OFFSET } from './kernel.ts';
import type { KernelTable } from './kernel-table.ts';
import type { Mapping, NativeFunction, NativeSystem, NativeThread } from './system.ts';
import { ABANDONED, CONTROL, COUNTER_BYTES, RECORD, walkCode } from './walk.ts';

/** Multiply-adds up to which a run is short: about 2 ms on one core without AVX-512. */
const SHORT = 30e6;

export class NativeCrew implements Crew {
  readonly threads: number;
  readonly counterBytes = COUNTER_BYTES;
  readonly #system: NativeSystem;
  readonly #kernels: KernelTable;
  readonly #code: Mapping;
  readonly #control: Mapping;
  readonly #run: NativeFunction;
  readonly #wake: NativeFunction;
  readonly #others: NativeThread[] = [];
  /** Takes back what was to be done at the process's end. */
  readonly #stay: () => void;
  /** The last run; never rejects. */
  #running: Promise<void> | undefined;
  #closed = false;

  /** Starts all threads but the first. @throws resources error: the system gives none. */
  constructor(system: NativeSystem, kernels: KernelTable, threads: number) {
    this.threads = threads;
    this.#system = system;
    this.#kernels = kernels;
    const { code, run, wake, entry } = walkCode();
    this.#code = system.mapCode(code);
    this.#control = system.map(CONTROL.records + RECORD.bytes * threads, 'threads');
    this.#run = system.function(this.#code.address + run);
    this.#wake = system.function(this.#code.address + wake);
    this.#write(CONTROL.threads, threads, kernels.address);
    for (let thread = 0; thread < threads; thread++) {
      this.#write(this.#record(thread), this.#control.address, thread);
    }
    this.#stay = system.onExit(() => this.#abandon());
    try {
      for (let thread = 1; thread < threads; thread++) this.#start(this.#code.address + entry, thread);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async run(job: Job): Promise<void> {
    if (this.#closed) throw new Error('the native backend is closed');
    const done = this.#perform(job);
    this.#running = done.catch(() => {});
    await done;
  }

  /** Stops a run that is under way, after its current command, and ends all threads. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#abandon();
    await this.#running;
    this.#end();
  }

  async #perform(job: Job): Promise<void> {
    const { tape, length, counters, scratch, scratchStride, work } = job;
    this.#write(CONTROL.tape, tape, tape + 8 * length, counters, scratch, scratchStride);
    const { address } = this.#control;
    const stopped = work <= SHORT ? this.#run.call(address) : await this.#run.callAsync(address);
    if (stopped > 0) throw this.#failure(job, stopped - 1);
  }

  #failure({ tape, counters }: Job, command: number): Error {
    const status = new Int32Array(
      this.#system.view(counters + command * COUNTER_BYTES + STATUS_OFFSET, 4),
    )[0];
    if (status === ABANDONED) return new Error('the native backend was closed during a run');
    const name = this.#kernels.nameOf(this.#commandAt(tape, command));
    return new BitmillError('failure', `kernel ${name} stopped: a token, row or target that does not exist`);
  }

  /** Kernel number of a command on the tape. */
  #commandAt(tape: number, command: number): number {
    let at = tape;
    for (let left = command; ; left--) {
      const [number, count] = new Float64Array(this.#system.view(at, 16));
      if (left === 0) return number;
      at += 8 * (2 + count);
    }
  }

  #start(entry: number, thread: number): void {
    this.#others.push(this.#system.startThread(entry, this.#control.address + this.#record(thread)));
  }

  /** Offset of a thread's record in the control block. */
  #record(thread: number): number {
    return CONTROL.records + RECORD.bytes * thread;
  }

  #abandon(): void {
    this.#i32(CONTROL.abandoned)[0] = 1;
  }

  /** Ends the threads, and gives back what they worked with. */
  #end(): void {
    this.#stay();
    this.#i32(CONTROL.ended)[0] = 1;
    this.#wake.call(this.#control.address);
    for (const thread of this.#others) thread.join();
    this.#control.unmap();
    this.#code.unmap();
    this.#kernels.close();
  }

  #i32(offset: number): Int32Array {
    return new Int32Array(this.#system.view(this.#control.address + offset, 4));
  }

  /** Writes integers of 64 bits behind one another. */
  #write(offset: number, ...values: readonly number[]): void {
    const target = new BigInt64Array(this.#system.view(this.#control.address + offset, 8 * values.length));
    values.forEach((value, i) => {
      target[i] = BigInt(value);
    });
  }
}
