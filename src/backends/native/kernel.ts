/**
 * Kernels as TypeScript functions that emit machine code. A kernel is called as
 * `kernel(thread, threads, scratch, counter, args)`: rdi, rsi, rdx, rcx, r8. `args` is the command's record on the tape:
 * f64 numbers, one an argument (addresses and sizes are exact in an f64). `scratch` are private bytes of the thread,
 * aligned to 64; `counter` is an i32 that is 0 when the command begins and shared by all threads. The i32 behind it
 * (`counter + 4`) is the command's status, 0 too when it begins: a kernel that meets an index which its table does not
 * have stores 1 there (`k.refuse()`, while rcx is still the counter), goes on or leaves as it likes, touches nothing
 * outside its buffers, and the run ends with an error after this command. The rest of the counter's cache line is free.
 * A kernel may destroy every register but rsp. It must not touch memory below rsp - 128 without moving rsp, and it returns with `ret`.
 */
import type { Level } from './level.ts';
import {
  Assembler,
  type Condition,
  type Gpr,
  type Label,
  type Memory,
  mem,
  memAt,
  type Register,
  RegisterPool,
  r8,
  rcx,
  rdi,
  rdx,
  rsi,
  type Vec,
  xmm,
} from './x64/index.ts';

/** A kernel: its name, the names of its arguments in their order, and what emits it. */
export interface KernelSource<A extends string = string> {
  readonly name: string;
  readonly args: readonly A[];
  /** Emits the body; falling off its end returns. */
  emit(k: KernelBuilder<A>): void;
}

/** Gives the argument names their types. */
export function defineKernel<const A extends string>(source: KernelSource<A>): KernelSource<A> {
  return source;
}

/** Bytes from a command's counter to its status. */
export const STATUS_OFFSET = 4;

const VEX_VNNI = ['vpdpbusd', 'vpdpwssd'] as const;

export class KernelBuilder<A extends string = string> extends Assembler {
  readonly level: Level;
  readonly registers: RegisterPool;
  /** Number of this thread; free it when it is of no more use. */
  readonly thread: Gpr = rdi;
  readonly threads: Gpr = rsi;
  readonly scratch: Gpr = rdx;
  readonly counter: Gpr = rcx;
  /** Address of the arguments. */
  readonly record: Gpr = r8;
  readonly #args: readonly A[];

  constructor(level: Level, args: readonly A[]) {
    super(level.evexVnni ? VEX_VNNI : []);
    this.level = level;
    this.registers = new RegisterPool(level.avx512 ? 32 : 16);
    this.#args = args;
    const taken = { thread: rdi, threads: rsi, scratch: rdx, counter: rcx, args: r8 };
    for (const [name, register] of Object.entries(taken)) this.registers.reserve(register, name);
  }

  /** f32 lanes of a vector. */
  get lanes(): number {
    return this.level.bytes / 4;
  }

  gpr(name: string): Gpr {
    return this.registers.gpr(name);
  }

  /** A vector of the level's full width. */
  vec(name: string): Vec {
    return this.level.avx512 ? this.registers.zmm(name) : this.registers.ymm(name);
  }

  vecs(name: string, count: number): Vec[] {
    return Array.from({ length: count }, (_, i) => this.vec(`${name}${i}`));
  }

  free(...registers: readonly Register[]): void {
    this.registers.free(...registers);
  }

  scope<T>(body: () => T): T {
    return this.registers.scope(body);
  }

  /** Place of an argument. */
  arg(name: A): Memory {
    const at = this.#args.indexOf(name);
    if (at < 0) throw new Error(`the kernel has no argument "${name}"`);
    return mem(this.record, 8 * at);
  }

  /** An integer argument, an address for example, in a register of its own. */
  int(name: A): Gpr {
    const register = this.gpr(name);
    this.x.vcvttsd2si(register, this.arg(name));
    return register;
  }

  ints<const N extends A>(...names: readonly N[]): { readonly [K in N]: Gpr } {
    return Object.fromEntries(names.map((name) => [name, this.int(name)])) as { readonly [K in N]: Gpr };
  }

  /** An argument as f32 in all lanes of a new vector. */
  float(name: A): Vec {
    const all = this.vec(name);
    this.x.vcvtsd2ss(xmm(all), xmm(all), this.arg(name));
    this.x.vbroadcastss(all, xmm(all));
    return all;
  }

  /** f32 constant in every lane, as a memory operand of the level's width. */
  f32(value: number): Memory {
    return this.constant(new Uint8Array(new Float32Array(this.lanes).fill(value).buffer));
  }

  /** i32 constant in every lane. */
  i32(value: number): Memory {
    return this.constant(new Uint8Array(new Int32Array(this.lanes).fill(value).buffer));
  }

  /** i16 constant in every lane. */
  i16(value: number): Memory {
    return this.constant(new Uint8Array(new Int16Array(2 * this.lanes).fill(value).buffer));
  }

  /** Byte constant in every lane. */
  u8(value: number): Memory {
    return this.constant(new Uint8Array(this.level.bytes).fill(value));
  }

  zero(...vectors: readonly Vec[]): void {
    for (const one of vectors) this.x.vpxor(xmm(one), xmm(one), xmm(one));
  }

  clear(...registers: readonly Gpr[]): void {
    for (const one of registers) this.x.xor(one, one);
  }

  /** Repeats the body while `register condition limit` holds; tests before the first time, too. */
  while(register: Gpr, condition: Condition, limit: Gpr | Memory | number, body: (out: Label) => void): void {
    const out = this.label();
    const test = this.label();
    const top = this.label();
    this.jmp(test);
    this.align(16);
    this.bind(top);
    body(out);
    this.bind(test);
    this.x.cmp(register, limit);
    this.j(condition, top);
    this.bind(out);
  }

  /** Repeats the body `count` times (at least once if `sure`), counting the register down to 0. */
  countdown(count: Gpr, body: () => void, sure = false): void {
    const out = this.label();
    if (!sure) {
      this.x.test(count, count);
      this.j('e', out);
    }
    this.align(16);
    const top = this.here();
    body();
    this.x.sub(count, 1);
    this.j('ne', top);
    this.bind(out);
  }

  /** The body only where the flags of the last comparison fulfil the condition. */
  when(condition: Condition, body: () => void, otherwise?: () => void): void {
    const no = this.label();
    this.j(INVERSE[condition], no);
    body();
    if (!otherwise) {
      this.bind(no);
      return;
    }
    const end = this.label();
    this.jmp(end);
    this.bind(no);
    otherwise();
    this.bind(end);
  }

  /** The next unclaimed piece of the command's work, in `target`; each number is handed out once. */
  claim(target: Gpr): void {
    this.x.mov(target, 1);
    this.x.lockXadd32(mem(this.counter), target);
    this.x.load32s(target, target);
  }

  /** Ends the run with an error after this command: a token, row or target that does not exist. */
  refuse(): void {
    this.x.store32(mem(this.counter, STATUS_OFFSET), 1);
  }

  /** `target = base + index * factor`; base and index stay. */
  offset(target: Gpr, base: Gpr, index: Gpr, factor: Gpr | number): void {
    if (typeof factor === 'number') this.x.imul(target, index, factor);
    else {
      this.x.mov(target, index);
      this.x.imul(target, factor);
    }
    this.x.lea(target, memAt(target, base));
  }

  /** Leaves the kernel. */
  leave(): void {
    this.x.vzeroupper();
    this.x.ret();
  }
}

const INVERSE = {
  o: 'no',
  no: 'o',
  b: 'ae',
  ae: 'b',
  e: 'ne',
  ne: 'e',
  be: 'a',
  a: 'be',
  s: 'ns',
  ns: 's',
  p: 'np',
  np: 'p',
  l: 'ge',
  ge: 'l',
  le: 'g',
  g: 'le',
} as const satisfies Record<Condition, Condition>;

/** The kernel's machine code for a level; it can stand at any address that is a multiple of 64. */
export function assembleKernel<A extends string>(
  { name, args, emit }: KernelSource<A>,
  level: Level,
): Uint8Array {
  try {
    const builder = new KernelBuilder(level, args);
    emit(builder);
    builder.leave();
    return builder.finish();
  } catch (cause) {
    throw new Error(`kernel ${name} for ${level.name}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
