/**
 * Memory of the native backend: blocks of the system's memory. Large ones have mappings of their own, small ones share
 * them. Behind every block are at least 64 bytes that can be read: a vector load at its end faults nowhere.
 */
import { BitmillError } from '../../core/index.ts';
import { Allocator } from '../tape/allocator.ts';
import type { TapeMemory } from '../tape/memory.ts';
import type { Mapping, NativeSystem } from './system.ts';

/** Bytes from which on a block has a mapping of its own. */
const LARGE = 2 ** 20;
/** Bytes of a mapping that small blocks share. */
const SHARED = 2 ** 22;
/** Readable bytes behind a block. */
const SLACK = 64;

/** A mapping that small blocks share. */
interface Pool {
  readonly mapping: Mapping;
  readonly allocator: Allocator;
}

/** Where a block lies, and how it goes. */
interface Held {
  readonly bytes: number;
  free(): void;
}

export class NativeMemory implements TapeMemory {
  readonly capacity: number;
  readonly #system: NativeSystem;
  readonly #held = new Map<number, Held>();
  readonly #pools = new Set<Pool>();
  #used = 0;
  #closed = false;

  /** @param capacity bytes that all blocks together may take. */
  constructor(system: NativeSystem, capacity: number) {
    this.#system = system;
    this.capacity = capacity;
  }

  get used(): number {
    return this.#used;
  }

  alloc(bytes: number, label: string, clear = true): number {
    this.#demandOpen();
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${label}: ${bytes} bytes`);
    if (this.#used + bytes > this.capacity) {
      const rest = `${this.#used} of ${this.capacity} bytes are in use`;
      throw new BitmillError('resources', `${label}: no room for ${bytes} bytes: ${rest}`);
    }
    const address = bytes >= LARGE ? this.#large(bytes, label) : this.#small(bytes, label, clear);
    this.#used += bytes;
    return address;
  }

  free(address: number): void {
    if (this.#closed) return;
    const held = this.#held.get(address);
    if (!held) throw new Error(`no block starts at address ${address}`);
    this.#held.delete(address);
    this.#used -= held.bytes;
    held.free();
  }

  bytes(address: number, length: number): Uint8Array {
    this.#demandOpen();
    return length === 0 ? new Uint8Array(0) : new Uint8Array(this.#system.view(address, length));
  }

  close(): void {
    if (this.#closed) return;
    for (const { bytes, free } of this.#held.values()) if (bytes >= LARGE) free();
    for (const { mapping } of this.#pools) mapping.unmap();
    this.#held.clear();
    this.#pools.clear();
    this.#used = 0;
    this.#closed = true;
  }

  #large(bytes: number, label: string): number {
    const mapping = this.#system.map(bytes + SLACK, label);
    this.#held.set(mapping.address, { bytes, free: () => mapping.unmap() });
    return mapping.address;
  }

  #small(bytes: number, label: string, clear: boolean): number {
    for (const pool of this.#pools) {
      const address = this.#take(pool, bytes);
      if (address === undefined) continue;
      if (clear) this.bytes(address, bytes).fill(0);
      return address;
    }
    const mapping = this.#system.map(SHARED, label);
    const { address } = mapping;
    const pool = { mapping, allocator: new Allocator(address, address + SHARED - SLACK) };
    this.#pools.add(pool);
    const first = this.#take(pool, bytes);
    if (first === undefined) throw new Error(`a fresh mapping has no room for ${bytes} bytes`);
    return first;
  }

  #take(pool: Pool, bytes: number): number | undefined {
    const address = pool.allocator.take(bytes);
    if (address === undefined) return undefined;
    this.#held.set(address, { bytes, free: () => this.#give(pool, address) });
    return address;
  }

  /** Gives a small block back, and the mapping with the last one of several. */
  #give(pool: Pool, address: number): void {
    pool.allocator.give(address);
    if (pool.allocator.used > 0 || this.#pools.size === 1) return;
    this.#pools.delete(pool);
    pool.mapping.unmap();
  }

  #demandOpen(): void {
    if (this.#closed) throw new Error('the native backend is closed');
  }
}
