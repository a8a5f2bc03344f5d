/** Kernels by themselves, for tests: one instance of the engine's module, commands run thread after thread. */
import type { Cache, Dims, Sums, Value } from '../../graph/index.ts';
import type { Command, LowerContext, Place } from './lower.ts';
import { ENGINE_BASE64 } from './module.gen.ts';

const PAGE = 65536;

/** Where a value or state lies. */
export type Placed = readonly [what: Value | Cache | Sums, place: Place];

export class Bench {
  readonly memory: WebAssembly.Memory;
  readonly #exports: WebAssembly.Exports;
  #top: number;

  constructor(pages: number) {
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
    const table = new WebAssembly.Table({ initial: 64, element: 'anyfunc' });
    const abort = (): never => {
      throw new Error('a kernel aborted');
    };
    const module = new WebAssembly.Module(Uint8Array.from(atob(ENGINE_BASE64), (c) => c.charCodeAt(0)));
    this.#exports = new WebAssembly.Instance(module, { env: { memory: this.memory, table, abort } }).exports;
    this.#top = 64 * PAGE; // static data lies below
  }

  alloc(bytes: number): number {
    const start = this.#top;
    this.#top = Math.ceil((start + bytes) / 64) * 64;
    return start;
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  /** Address of a copy of the values. */
  put(values: Float32Array): number {
    const address = this.alloc(4 * values.length);
    this.f32(address, values.length).set(values);
    return address;
  }

  /** Runs a command as `threads` threads would, one after the other. */
  run({ kernel, scratch = 0, args }: Command, threads = 1): void {
    const found = this.#exports[kernel];
    if (typeof found !== 'function') throw new Error(`no kernel ${kernel}`);
    const mark = this.#top;
    const counter = this.alloc(64);
    const own = this.alloc(scratch);
    this.u8(counter, 64).fill(0);
    this.u8(own, scratch).fill(255); // what other commands left there: NaN
    for (let thread = 0; thread < threads; thread++) found(thread, threads, own, counter, ...args);
    this.#top = mark;
  }

  /** A context of lowering over values and states at given places. */
  context(dims: Dims, placed: readonly Placed[]): LowerContext {
    const places = new Map(placed);
    const at = (what: Value | Cache | Sums): Place => {
      const place = places.get(what);
      if (!place) throw new Error(`${what.kind} has no place`);
      return place;
    };
    const none = (): never => {
      throw new Error('not in this test');
    };
    return {
      dims,
      threads: 1,
      place: at,
      state: (state) => at(state).address,
      weight: none,
      slot: none,
      temporary: (bytes) => this.alloc(bytes),
    };
  }
}
