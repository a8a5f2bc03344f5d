/**
 * Work that may run on another thread. A job is a named pure function from structured-cloneable input to
 * output; an executor runs it inline (browser main thread, tests) or on a pool of workers (platform).
 * Results never depend on where or beside what a job ran.
 */

export interface Job<I, O> {
  readonly name: string;
  readonly run: (input: I) => O | Promise<O>;
  /** Buffers of the output that move to the receiver instead of being copied. */
  readonly transferOutput?: (output: O) => ArrayBufferLike[];
}

export interface Executor {
  /** Jobs that make progress at once. */
  readonly threads: number;
  /** @param transfer buffers of the input that move to the worker; the caller must not use them afterwards. */
  run<I, O>(job: Job<I, O>, input: I, transfer?: ArrayBufferLike[]): Promise<O>;
  close(): Promise<void>;
}

/** Runs every job at once on the calling thread. */
export const inlineExecutor: Executor = {
  threads: 1,
  run: async (job, input) => job.run(input),
  close: async () => {},
};
