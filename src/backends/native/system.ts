/**
 * What the native backend needs of the operating system. `platform` gives it (through koffi); nothing else here knows
 * an address from a number. Every size is checked by the callers in TypeScript before any machine code sees it.
 */
import type { LocalFile } from '../../core/index.ts';

/** Memory outside JavaScript. Addresses are numbers below 2^47: exact. */
export interface Mapping {
  readonly address: number;
  readonly bytes: number;
  /** Gives it back; views of it must not be used afterwards. A second time does nothing. */
  unmap(): void;
}

/** A file in memory, read-only, its pages shared with all who read it. At least `pageBytes` zeros can be read behind it. */
export interface FileMapping extends Mapping {
  /**
   * Bytes that the mapped file has now. It is the one hazard of a mapping: where somebody made the file shorter, to touch
   * what is gone ends the process.
   */
  sizeNow(): number;
  /**
   * Says that a part is read soon (the system begins to read it from the disk), or no more for now (it no longer counts
   * as this process's memory). Both are hints: contents are the same with and without them.
   */
  advise(use: 'soon' | 'idle', offset: number, bytes: number): void;
}

/** Machine code under an address, callable with up to six integers. */
export interface NativeFunction {
  /** On this thread. @returns rax, as a signed integer. */
  call(...args: readonly number[]): number;
  /** On a thread of the system's pool; this one goes on. */
  callAsync(...args: readonly number[]): Promise<number>;
}

export interface NativeSystem {
  readonly pageBytes: number;
  /**
   * Zeroed memory that can be read and written, at a page's begin; large memory in huge pages where the system lets
   * programs ask for them. @throws resources error.
   */
  map(bytes: number, label: string): Mapping;
  /** The code in pages that can be read and executed, and never written again. @throws resources error. */
  mapCode(code: Uint8Array): Mapping;
  /**
   * The whole file, read-only and in place.
   * @param as what the file was when it was opened.
   * @throws input error: it cannot be opened, is empty or no plain file, or is not what it was.
   */
  mapFile(path: string, as?: LocalFile): FileMapping;
  /** The bytes as JavaScript sees them; stale once they are unmapped. */
  view(address: number, bytes: number): ArrayBuffer;
  function(address: number): NativeFunction;
  /** Starts a thread that calls `entry(argument)` and ends when that returns. Signals never come to it. */
  startThread(entry: number, argument: number): NativeThread;
  /**
   * Has `hook` called when the process is about to end: it waits for calls that are under way on the system's pool, so
   * they should end soon. @returns takes it back.
   */
  onExit(hook: () => void): () => void;
}

export interface NativeThread {
  /** Waits until the thread has ended. A second time returns at once. */
  join(): void;
}
