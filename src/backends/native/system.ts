/**
 * What the native backend needs of the operating system. `platform` gives it (through koffi); nothing else here knows
 * an address from a number. Every size is checked by the callers in TypeScript before any machine code sees it.
 */

/** Memory outside JavaScript. Addresses are numbers below 2^47: exact. */
export interface Mapping {
  readonly address: number;
  readonly bytes: number;
  /** Gives it back; views of it must not be used afterwards. */
  unmap(): void;
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
  /** Zeroed memory that can be read and written, at a page's begin. @throws resources error. */
  map(bytes: number, label: string): Mapping;
  /** The code in pages that can be read and executed, and never written again. */
  mapCode(code: Uint8Array): Mapping;
  /** The whole file, read-only and in place. @throws input error: it cannot be opened. */
  mapFile(path: string): Mapping;
  /** The bytes as JavaScript sees them; stale once they are unmapped. */
  view(address: number, bytes: number): ArrayBuffer;
  function(address: number): NativeFunction;
  /** Starts a thread that calls `entry(argument)` and ends when that returns. */
  startThread(entry: number, argument: number): NativeThread;
}

export interface NativeThread {
  /** Waits until the thread has ended. */
  join(): void;
}
