/** Single kernels in memory of their own, for tests and benchmarks. */
import { koffiSystem } from '../../platform/koffi-system.ts';
import { cpuFeatures } from './cpu.ts';
import { enterCode } from './enter.ts';
import { assembleKernel, type KernelSource, STATUS_OFFSET } from './kernel.ts';
import { LEVELS, type Level, type LevelName, levelsOf } from './level.ts';
import type { NativeFunction, NativeSystem } from './system.ts';

const found = await koffiSystem();

/** Levels that can be tested here; empty where there is no koffi or another CPU. */
export const testLevels: readonly Level[] =
  'reason' in found ? [] : levelsOf(cpuFeatures(found)).map((name: LevelName) => LEVELS[name]);

/** Why there are none. */
export const noLevels = 'reason' in found ? found.reason : 'the CPU has no AVX2';

export type Numbers =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint16Array;

export class KernelBench {
  readonly level: Level;
  readonly #system: NativeSystem;
  readonly #enter: NativeFunction;
  readonly #code = new Map<KernelSource, number>();

  constructor(level: Level) {
    if ('reason' in found) throw new Error(found.reason);
    this.level = level;
    this.#system = found;
    this.#enter = found.function(found.mapCode(enterCode()).address);
  }

  /** Zeroed bytes at a multiple of 4096. The test process never gives them back. */
  alloc(bytes: number): number {
    return this.#system.map(Math.max(1, bytes), 'test').address;
  }

  /** Address of a copy of the numbers. */
  put(values: Numbers): number {
    const address = this.alloc(values.byteLength);
    this.u8(address, values.byteLength).set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
    return address;
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.#system.view(address, length));
  }

  i16(address: number, length: number): Int16Array {
    return new Int16Array(this.#system.view(address, 2 * length));
  }

  i32(address: number, length: number): Int32Array {
    return new Int32Array(this.#system.view(address, 4 * length));
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.#system.view(address, 4 * length));
  }

  f64(address: number, length: number): Float64Array {
    return new Float64Array(this.#system.view(address, 8 * length));
  }

  /** A function that runs the kernel on this thread as thread 0 of 1; for timing. Resets the counter each time. */
  prepare<A extends string>(
    source: KernelSource<A>,
    args: Readonly<Record<A, number>>,
    scratch = 0,
  ): () => void {
    const own = this.alloc(scratch + 64);
    const counter = this.alloc(64);
    const cell = this.i32(counter, 1);
    const record = this.put(Float64Array.from(source.args, (name) => args[name]));
    const kernel = this.address(source);
    return () => {
      cell[0] = 0;
      this.#enter.call(kernel, 0, 1, own, counter, record);
    };
  }

  /** Runs the kernel as `threads` threads would, one after the other. @returns the status: 0, or 1 if it refused. */
  run<A extends string>(
    source: KernelSource<A>,
    args: Readonly<Record<A, number>>,
    { threads = 1, scratch = 0 }: { readonly threads?: number; readonly scratch?: number } = {},
  ): number {
    const own = this.alloc(scratch + 64);
    this.u8(own, scratch).fill(255); // what other commands left there: NaN
    const counter = this.alloc(64);
    const record = this.put(Float64Array.from(source.args, (name) => args[name]));
    for (let thread = 0; thread < threads; thread++) {
      this.#enter.call(this.address(source), thread, threads, own, counter, record);
    }
    return this.i32(counter + STATUS_OFFSET, 1)[0];
  }

  /** Address of the kernel's code. */
  address(source: KernelSource): number {
    const known = this.#code.get(source);
    if (known !== undefined) return known;
    const { address } = this.#system.mapCode(assembleKernel(source, this.level));
    this.#code.set(source, address);
    return address;
  }
}
