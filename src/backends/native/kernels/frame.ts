/**
 * Local variables of a kernel that has more of them than there are registers: 8 bytes each, by name, at the begin of the
 * thread's scratch. Also the few steps that such kernels share.
 */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, type Memory, mem, rax, rdx } from '../x64/index.ts';

/** A place that `cmp`, `add` or `imul` can take: a register, memory or a number. */
export type Term = Gpr | Memory | number;

export class Frame {
  readonly base: Gpr;
  readonly #k: KernelBuilder;
  readonly #bytes: number;
  readonly #places = new Map<string, number>();

  /** @param base holds the frame's address as long as it is used. @param bytes room for variables. */
  constructor(k: KernelBuilder, base: Gpr, bytes: number) {
    this.#k = k;
    this.base = base;
    this.#bytes = bytes;
  }

  /** A new variable. @throws Error: the name is taken, or there is no room. */
  declare(...names: readonly string[]): void {
    for (const name of names) {
      if (this.#places.has(name)) throw new Error(`the variable "${name}" is there already`);
      const at = 8 * this.#places.size;
      if (at + 8 > this.#bytes) throw new Error(`no room for the variable "${name}"`);
      this.#places.set(name, at);
    }
  }

  /** Place of a variable. @throws Error: there is none of this name. */
  at(name: string): Memory {
    const place = this.#places.get(name);
    if (place === undefined) throw new Error(`there is no variable "${name}"`);
    return mem(this.base, place);
  }

  /** A variable in a register of its own. */
  load(name: string): Gpr {
    const register = this.#k.gpr(name);
    this.#k.x.mov(register, this.at(name));
    return register;
  }

  store(name: string, value: Gpr | number): void {
    this.#k.x.store64(this.at(name), value);
  }

  /** Declares a variable and gives it a value. */
  define(name: string, value: Gpr | number): void {
    this.declare(name);
    this.store(name, value);
  }

  /** `name = first`, then step by step with `+`, `-`, `*` the terms that follow. A line of integer arithmetic. */
  set(
    name: string,
    first: Term | string,
    ...steps: readonly (readonly ['+' | '-' | '*', Term | string])[]
  ): void {
    this.#k.scope(() => this.store(name, this.compute(first, ...steps)));
  }

  /** As `set`, in a new register. */
  compute(first: Term | string, ...steps: readonly (readonly ['+' | '-' | '*', Term | string])[]): Gpr {
    const { x } = this.#k;
    const value = this.#k.gpr('value');
    x.mov(value, this.#term(first));
    for (const [operation, operand] of steps) {
      const term = this.#term(operand);
      if (operation === '+') x.add(value, term);
      else if (operation === '-') x.sub(value, term);
      else if (typeof term === 'number') x.imul(value, value, term);
      else x.imul(value, term);
    }
    return value;
  }

  #term(term: Term | string): Term {
    return typeof term === 'string' ? this.at(term) : term;
  }

  /** `quotient = numerator / denominator`, `remainder` likewise, all of them unsigned variables. */
  divide(numerator: string, denominator: string, quotient: string, remainder: string): void {
    const { x, registers } = this.#k;
    this.#k.scope(() => {
      registers.reserve(rax, 'quotient');
      registers.reserve(rdx, 'remainder');
      x.mov(rax, this.at(numerator));
      x.xor(rdx, rdx);
      x.div(this.at(denominator));
      this.store(quotient, rax);
      this.store(remainder, rdx);
    });
  }

  /** `name += other * factor`. */
  shift(name: string, other: string, factor: number): void {
    this.set(name, other, ['*', factor], ['+', name]);
  }

  /** The smaller of two variables, in the first. */
  lower(name: string, other: string): void {
    this.#k.scope(() => {
      const value = this.load(name);
      this.#k.x.cmp(value, this.at(other));
      this.#k.when('g', () => {
        this.#k.x.mov(value, this.at(other));
        this.store(name, value);
      });
    });
  }
}
