/** A run as the threads see it, and who they are. */

/** Bytes of the barrier's state: a cache line. */
export const BARRIER_BYTES = 64;

/** Where the parts of a run lie in the backend's memory. */
export interface Job {
  readonly tape: number;
  /** Numbers on the tape. */
  readonly length: number;
  /** Zeroed bytes, `Crew.counterBytes` a command, of which the first 4 are its counter. */
  readonly counters: number;
  /** Private bytes of thread 0; those of the others follow, `scratchStride` bytes apart. */
  readonly scratch: number;
  readonly scratchStride: number;
  /** State of the barrier, zeroed. */
  readonly barrier: number;
  /** Multiply-adds, estimated. */
  readonly work: number;
}

/** The threads that walk a tape together. */
export interface Crew {
  readonly threads: number;
  /** Bytes from one command's counter to the next one's. */
  readonly counterBytes: number;
  /** Resolves when every thread has walked the tape. @throws Error: a kernel stopped or a thread died. */
  run(job: Job): Promise<void>;
  close(): Promise<void>;
}
