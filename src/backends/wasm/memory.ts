/**
 * Memory of the engine: one shared WebAssembly memory of up to 4 GiB, and who has which bytes of it. Addresses are
 * plain numbers below 2^32; no 32-bit operator may touch them, because those are signed.
 */
import { BitmillError } from '../../core/index.ts';
import { Allocator } from '../tape/allocator.ts';
import type { TapeMemory } from '../tape/memory.ts';

const PAGE = 65536;
/** Pages that the module itself asks for: its constant tables lie there. */
const MODULE_PAGES = 64;
/** Pages that 32-bit addresses reach. */
const MOST_PAGES = 65536;

/** First address that can be handed out. */
export const HEAP_START = MODULE_PAGES * PAGE;
/** The last page stays unused, so that the end of a block is a 32-bit number, too. */
export const HEAP_END = (MOST_PAGES - 1) * PAGE;

function reserve(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: MODULE_PAGES, maximum: pages, shared: true });
  } catch (cause) {
    const message = `the engine's memory: the system does not reserve ${pages * PAGE} bytes of addresses`;
    throw new BitmillError('resources', message, { cause, hint: 'a lower limit on memory helps' });
  }
}

/** A shared memory with an allocator. Views go stale when it grows: take one for each use. */
export class EngineMemory implements TapeMemory {
  readonly wasm: WebAssembly.Memory;
  /** Bytes that all blocks together may take. */
  readonly capacity: number;
  readonly #allocator: Allocator;
  /** No address from here on was ever handed out, so the bytes are still zero. */
  #untouched = HEAP_START;

  /**
   * @param maxBytes limit of all blocks together; at most about 4 GiB. Addresses are reserved for all of it at once.
   * @throws resources error: the system does not give that many addresses.
   */
  constructor(maxBytes: number) {
    this.capacity = Math.floor(Math.min(maxBytes, HEAP_END - HEAP_START));
    this.wasm = reserve(Math.ceil((HEAP_START + this.capacity) / PAGE));
    this.#allocator = new Allocator(HEAP_START, HEAP_START + this.capacity);
  }

  get used(): number {
    return this.#allocator.used;
  }

  /**
   * Address of `bytes` bytes.
   * @param clear zeroes the bytes; without it they may hold anything.
   * @param label what they are for, for the error.
   */
  alloc(bytes: number, label: string, clear = true): number {
    const address = this.#allocator.take(bytes);
    if (address === undefined) throw this.#full(bytes, label);
    const end = address + bytes;
    if (!this.#reach(end)) {
      this.#allocator.give(address);
      throw this.#full(bytes, label);
    }
    if (clear) this.bytes(address, Math.max(0, Math.min(end, this.#untouched) - address)).fill(0);
    this.#untouched = Math.max(this.#untouched, end);
    return address;
  }

  free(address: number): void {
    this.#allocator.give(address);
  }

  bytes(address: number, length: number): Uint8Array {
    return new Uint8Array(this.wasm.buffer, address, length);
  }

  /** Nothing to do: the memory goes with its last user. */
  close(): void {}

  /** Grows the memory to `end` bytes. @returns whether the system gave them. */
  #reach(end: number): boolean {
    const missing = end - this.wasm.buffer.byteLength;
    if (missing <= 0) return true;
    try {
      this.wasm.grow(Math.ceil(missing / PAGE));
      return true;
    } catch {
      return false;
    }
  }

  #full(bytes: number, label: string): BitmillError {
    const { used, largest } = this.#allocator;
    const rest = `${used} of ${this.capacity} bytes are in use, the largest gap has ${largest}`;
    return new BitmillError(
      'resources',
      `${label}: no room for ${bytes} bytes in the engine's memory: ${rest}`,
    );
  }
}
