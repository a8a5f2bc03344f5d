/** Lowered operations by themselves, for tests: places for values and states, commands run thread after thread. */
import type { Cache, Dims, Sums, Value } from '../../graph/index.ts';
import type { Command, LowerContext, Place } from '../tape/lower.ts';
import { spanTable } from '../tape/spans.ts';
import { testEngine } from './testing.ts';

/** Where a value or state lies. */
export type Placed = readonly [what: Value | Cache | Sums, place: Place];

export class Bench {
  readonly #engine = testEngine();

  alloc(bytes: number): number {
    return this.#engine.alloc(bytes);
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.#engine.memory.buffer, address, length);
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#engine.memory.buffer, address, length);
  }

  /** Address of a copy of the values. */
  put(values: Float32Array): number {
    const address = this.alloc(4 * values.length);
    this.f32(address, values.length).set(values);
    return address;
  }

  /** Runs a command as `threads` threads would, one after the other. */
  run({ kernel, scratch = 0, args }: Command, threads = 1): void {
    const counter = this.alloc(64);
    const own = this.alloc(scratch);
    this.u8(own, scratch).fill(255); // what other commands left there: NaN
    const call = this.#engine.kernel(kernel);
    for (let thread = 0; thread < threads; thread++) call(thread, threads, own, counter, ...args);
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
      uniform: false,
      has: () => false,
      slot: none,
      spans: () => {
        const table = spanTable(dims, 'test');
        const address = this.alloc(table.byteLength);
        this.u8(address, table.byteLength).set(new Uint8Array(table.buffer));
        return address;
      },
      temporary: (bytes) => this.alloc(bytes),
    };
  }
}
