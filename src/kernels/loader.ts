/**
 * The WebAssembly module of all kernels, instantiated once per thread. Kernels are plain functions over
 * addresses; `Arena` hands out addresses and takes them all back at once.
 */
import { KERNELS_BASE64 } from './module.gen.ts';

const PAGE = 65536;
/** Arena allocations start at a multiple of this many bytes: a cache line. */
const ALIGNMENT = 64;

export type Kernel = (...args: number[]) => number;

export interface Kernels {
  readonly memory: WebAssembly.Memory;
  /** A kernel by its export name, e.g. `q4_k_encode`; undefined if there is none. */
  find(name: string): Kernel | undefined;
  /** Address of `bytes` fresh bytes, aligned to 64; memory grows as needed (views must be taken anew). */
  alloc(bytes: number): number;
  /** Gives back all that `alloc` handed out since the matching `mark()`. */
  mark(): number;
  release(mark: number): void;
  f32(address: number, length: number): Float32Array;
  u8(address: number, length: number): Uint8Array;
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** A new instance with its own memory. Synchronous: the module is small and needed at once. */
export function instantiateKernels(): Kernels {
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536 });
  const abort = (): never => {
    throw new Error('a kernel aborted');
  };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(decodeBase64(KERNELS_BASE64)), {
    env: { memory, abort },
  });
  let top = memory.buffer.byteLength; // the kernels' static data lies in the initial pages
  return {
    memory,
    find: (name) => {
      const found = instance.exports[name];
      return typeof found === 'function' ? (found as Kernel) : undefined;
    },
    alloc: (bytes) => {
      const start = Math.ceil(top / ALIGNMENT) * ALIGNMENT;
      top = start + bytes;
      const missing = top - memory.buffer.byteLength;
      if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
      return start;
    },
    mark: () => top,
    release: (mark) => {
      top = mark;
    },
    f32: (address, length) => new Float32Array(memory.buffer, address, length),
    u8: (address, length) => new Uint8Array(memory.buffer, address, length),
  };
}

let shared: Kernels | undefined;

/** This thread's instance, made on first use. */
export function kernels(): Kernels {
  shared ??= instantiateKernels();
  return shared;
}
