/**
 * Kernels timed on threads of their own. A kernel is called with the number of the turn in place of scratch, no counter. The threads meet before every turn and note the processor's clock before and
 * after: what a turn took is from the first that began to the last that ended.
 */
import { asCFunction } from '../enter.ts';
import { assembleKernel, type KernelSource } from '../kernel.ts';
import type { Level } from '../level.ts';
import type { Mapping, NativeSystem } from '../system.ts';
import { Assembler, mem, memAt, r8, r9, rax, rcx, rdi, rdx, rsi, rsp } from '../x64/index.ts';

/** Slots of a thread's record, 8 bytes each; the clock's pairs of begin and end follow. */
const SLOT = { kernel: 0, thread: 8, threads: 16, args: 24, meeting: 32, turns: 40, turn: 48 } as const;
const RECORD_BYTES = 56;

/** Looks at the meeting before a thread leaves its core to others: the one that it waits for may need it. */
const SPINS = 4096;
/** Number of the system's call. */
const SCHED_YIELD = 24;

/** rax = the clock, once everything before it is done. */
function readClock({ x }: Assembler): void {
  x.lfence();
  x.rdtsc();
  x.shl(rdx, 32);
  x.or(rax, rdx);
}

/** The C function `timed(record)`: all turns of one thread. */
function timedCode(): Uint8Array {
  const a = new Assembler();
  const { x } = a;
  /** rdi = the record, which lies on the stack because kernels keep no register; `slot` of it to rax. */
  const record = () => x.mov(rdi, mem(rsp));
  const note = (offset: number) => {
    record();
    x.mov(rcx, mem(rdi, SLOT.turn));
    x.shl(rcx, 4);
    x.lea(rcx, memAt(rdi, rcx, 1, RECORD_BYTES + offset));
    x.store64(mem(rcx), rax);
  };
  asCFunction(a, () => {
    x.lea(rsp, mem(rsp, -16));
    x.store64(mem(rsp), rdi);
    const turn = a.here();
    record();
    // A number for everyone; go on when (turn + 1) * threads have come.
    x.mov(rsi, mem(rdi, SLOT.meeting));
    x.mov(rax, 1);
    x.lockXadd64(mem(rsi), rax);
    x.mov(rdx, mem(rdi, SLOT.turn));
    x.add(rdx, 1);
    x.imul(rdx, mem(rdi, SLOT.threads));
    x.xor(r9, r9);
    const wait = a.here();
    const met = a.label();
    x.mov(rax, mem(rsi));
    x.cmp(rax, rdx);
    a.j('ge', met);
    x.pause();
    x.add(r9, 1);
    x.cmp(r9, SPINS);
    a.j('l', wait);
    x.xor(r9, r9);
    x.mov(rax, SCHED_YIELD);
    x.syscall();
    a.jmp(wait);
    a.bind(met);
    readClock(a);
    note(0);
    x.mov(rax, mem(rdi, SLOT.kernel));
    x.mov(rsi, mem(rdi, SLOT.threads));
    x.mov(rdx, mem(rdi, SLOT.turn));
    x.mov(r8, mem(rdi, SLOT.args));
    x.mov(rdi, mem(rdi, SLOT.thread));
    x.callAt(rax);
    readClock(a);
    note(8);
    x.mov(rax, mem(rdi, SLOT.turn));
    x.add(rax, 1);
    x.store64(mem(rdi, SLOT.turn), rax);
    x.cmp(rax, mem(rdi, SLOT.turns));
    a.j('l', turn);
    x.lea(rsp, mem(rsp, 16));
  });
  return a.finish();
}

/** The C function `clock(out)`. */
function clockCode(): Uint8Array {
  const a = new Assembler();
  readClock(a);
  a.x.store64(mem(rdi), rax);
  a.x.ret();
  return a.finish();
}

/** Times kernels of one level; `close` gives all memory back. */
export class KernelClock {
  readonly #system: NativeSystem;
  readonly #level: Level;
  readonly #mappings: Mapping[] = [];
  readonly #kernels = new Map<KernelSource, number>();
  readonly #timed: number;
  /** The clock and the time at the beginning. */
  readonly #began: { readonly clock: number; readonly ms: number };
  readonly #now: () => number;

  constructor(system: NativeSystem, level: Level) {
    this.#system = system;
    this.#level = level;
    this.#timed = this.#code(timedCode());
    const cell = this.#map(8);
    const { call } = system.function(this.#code(clockCode()));
    this.#now = () => {
      call(cell);
      return Number(new BigInt64Array(system.view(cell, 8))[0]);
    };
    this.#began = { clock: this.#now(), ms: performance.now() };
  }

  /** Clocks a second, measured from the beginning to now. */
  get hertz(): number {
    const { clock, ms } = this.#began;
    return (1000 * (this.#now() - clock)) / (performance.now() - ms);
  }

  /**
   * Clocks that each turn took. This thread waits meanwhile.
   * @param threads start with the kernel in the same moment; each is called with its number.
   */
  time<A extends string>(
    kernel: KernelSource<A>,
    args: Readonly<Record<A, number>>,
    threads: number,
    turns: number,
  ): number[] {
    const size = Math.ceil((RECORD_BYTES + 16 * turns) / 64) * 64;
    const room = this.#system.map(64 + 8 * kernel.args.length + 64 + threads * size, 'probe');
    try {
      const meeting = room.address;
      const values = room.address + 64;
      const records = Math.ceil((values + 8 * kernel.args.length) / 64) * 64;
      new Float64Array(this.#system.view(values, 8 * kernel.args.length)).set(
        kernel.args.map((name) => args[name]),
      );
      for (let thread = 0; thread < threads; thread++) {
        const slots = new BigInt64Array(this.#system.view(records + thread * size, RECORD_BYTES));
        const filled = { kernel: this.#kernel(kernel), thread, threads, args: values, meeting, turns };
        for (const [name, value] of Object.entries(filled))
          slots[SLOT[name as keyof typeof filled] / 8] = BigInt(value);
      }
      this.#runAll(records, size, threads);
      return this.#durations(records, size, threads, turns);
    } finally {
      room.unmap();
    }
  }

  close(): void {
    for (const mapping of this.#mappings) mapping.unmap();
    this.#mappings.length = 0;
  }

  #runAll(records: number, size: number, threads: number): void {
    const started = Array.from({ length: threads }, (_, i) =>
      this.#system.startThread(this.#timed, records + i * size),
    );
    for (const thread of started) thread.join();
  }

  #durations(records: number, size: number, threads: number, turns: number): number[] {
    const times = Array.from(
      { length: threads },
      (_, i) => new BigInt64Array(this.#system.view(records + i * size + RECORD_BYTES, 16 * turns)),
    );
    return Array.from({ length: turns }, (_, turn) => {
      const begun = times.map((one) => Number(one[2 * turn]));
      const ended = times.map((one) => Number(one[2 * turn + 1]));
      return Math.max(...ended) - Math.min(...begun);
    });
  }

  #kernel(kernel: KernelSource): number {
    const known = this.#kernels.get(kernel) ?? this.#code(assembleKernel(kernel, this.#level));
    this.#kernels.set(kernel, known);
    return known;
  }

  #code(bytes: Uint8Array): number {
    const mapping = this.#system.mapCode(bytes);
    this.#mappings.push(mapping);
    return mapping.address;
  }

  #map(bytes: number): number {
    const mapping = this.#system.map(bytes, 'probe');
    this.#mappings.push(mapping);
    return mapping.address;
  }
}
