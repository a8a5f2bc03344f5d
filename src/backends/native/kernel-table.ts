/**
 * The kernels of a backend: assembled for its level when a tape first names them. All of them together take longer than
 * a model takes to load; a model uses a few dozen.
 */
import type { KernelNumbers } from '../tape/encode.ts';
import { assembleKernel, type KernelSource } from './kernel.ts';
import type { Level } from './level.ts';
import type { Mapping, NativeSystem } from './system.ts';

export class KernelTable implements KernelNumbers {
  /** Address of the kernels' addresses by number, 8 bytes each; 0 where none was asked for yet. */
  readonly address: number;
  readonly #system: NativeSystem;
  readonly #level: Level;
  readonly #sources: readonly KernelSource[];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #table: Mapping;
  readonly #code = new Map<number, Mapping>();

  /** @throws Error: two kernels of one name. */
  constructor(system: NativeSystem, level: Level, sources: readonly KernelSource[]) {
    this.#system = system;
    this.#level = level;
    this.#sources = sources;
    this.#numbers = new Map(sources.map(({ name }, i) => [name, i]));
    if (this.#numbers.size < sources.length) {
      const twice = sources.find(({ name }, i) => this.#numbers.get(name) !== i);
      throw new Error(`two kernels are named ${twice?.name}`);
    }
    this.#table = system.map(Math.max(8, 8 * sources.length), 'kernels');
    this.address = this.#table.address;
  }

  has(kernel: string): boolean {
    return this.#numbers.has(kernel);
  }

  get(kernel: string): number | undefined {
    const number = this.#numbers.get(kernel);
    if (number !== undefined && !this.#code.has(number)) this.#make(number);
    return number;
  }

  nameOf(number: number): string {
    return this.#sources[number].name;
  }

  close(): void {
    for (const code of this.#code.values()) code.unmap();
    this.#code.clear();
    this.#table.unmap();
  }

  #make(number: number): void {
    const code = this.#system.mapCode(assembleKernel(this.#sources[number], this.#level));
    this.#code.set(number, code);
    const entry = new BigInt64Array(this.#system.view(this.address + 8 * number, 8));
    entry[0] = BigInt(code.address);
  }
}
