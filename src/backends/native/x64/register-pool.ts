/** Registers by name: a kernel asks for `sum0`, gets whichever is free, and hears clearly when none is left. */
import type { Gpr, Mask, Register } from './registers.ts';
import { MASKS, R64, TILES, type Tile, XMM, YMM, ZMM } from './registers.ts';

/** A file of registers that share their names: zmm3, ymm3 and xmm3 are one. */
type File = 'general' | 'vector' | 'mask' | 'tile';

const FILE_OF = {
  r64: 'general',
  r32: 'general',
  xmm: 'vector',
  ymm: 'vector',
  zmm: 'vector',
  mask: 'mask',
  tile: 'tile',
} as const satisfies Record<Register['kind'], File>;

/** Order of handing out: registers without a task in kernels' calls first, callee-saved ones last. rsp never. */
const GENERAL_ORDER = [0, 9, 10, 11, 8, 7, 6, 2, 1, 3, 5, 12, 13, 14, 15];

export class RegisterPool {
  readonly #free: Record<File, number[]>;
  readonly #names = new Map<string, string>();
  #scope: Register[] | undefined;

  /** @param vectors how many vector registers there are: 16, or 32 with AVX-512. */
  constructor(vectors: 16 | 32) {
    this.#free = {
      general: [...GENERAL_ORDER],
      vector: Array.from({ length: vectors }, (_, i) => i),
      mask: [1, 2, 3, 4, 5, 6, 7], // k0 as a mask means none
      tile: [0, 1, 2, 3, 4, 5, 6, 7],
    };
  }

  gpr(name: string): Gpr {
    return this.#take('general', R64, name);
  }

  xmm(name: string): Register<'xmm'> {
    return this.#take('vector', XMM, name);
  }

  ymm(name: string): Register<'ymm'> {
    return this.#take('vector', YMM, name);
  }

  zmm(name: string): Register<'zmm'> {
    return this.#take('vector', ZMM, name);
  }

  mask(name: string): Mask {
    return this.#take('mask', MASKS, name);
  }

  tile(name: string): Tile {
    return this.#take('tile', TILES, name);
  }

  /** Takes this very register. @throws Error: it is in use. */
  reserve(register: Register, name: string): void {
    const free = this.#free[FILE_OF[register.kind]];
    const at = free.indexOf(register.code);
    if (at < 0)
      throw new Error(`${register} for "${name}" is in use by "${this.#names.get(keyOf(register))}"`);
    free.splice(at, 1);
    this.#name(register, name);
  }

  /** Gives registers back. @throws Error: one of them is free. */
  free(...registers: readonly Register[]): void {
    for (const register of registers) {
      if (!this.#names.delete(keyOf(register))) throw new Error(`${register} is free already`);
      const file = FILE_OF[register.kind];
      const free = this.#free[file];
      free.push(register.code);
      if (file !== 'general') free.sort((a, b) => a - b);
    }
  }

  /** Gives back, at its end, every register that was taken in `body` and not given back there. */
  scope<T>(body: () => T): T {
    const outer = this.#scope;
    const own: Register[] = [];
    this.#scope = own;
    try {
      return body();
    } finally {
      this.#scope = outer;
      // One that was given back and taken again stands there twice.
      const held = new Map(own.map((register) => [keyOf(register), register]));
      this.free(...[...held].filter(([key]) => this.#names.has(key)).map(([, register]) => register));
    }
  }

  /** How many vector registers are free. */
  get freeVectors(): number {
    return this.#free.vector.length;
  }

  #take<K extends Register['kind']>(
    file: File,
    registers: readonly Register<K>[],
    name: string,
  ): Register<K> {
    const code = this.#free[file].shift();
    if (code === undefined) {
      const holders = [...this.#names].filter(([key]) => key.startsWith(file)).map(([, holder]) => holder);
      throw new Error(`no ${file} register is left for "${name}": in use by ${holders.join(', ')}`);
    }
    const register = registers[code];
    this.#name(register, name);
    return register;
  }

  #name(register: Register, name: string): void {
    this.#names.set(keyOf(register), name);
    this.#scope?.push(register);
  }
}

function keyOf({ kind, code }: Register): string {
  return `${FILE_OF[kind]} ${code}`;
}
