/**
 * The walk over a tape in machine code, which every thread makes in step, and what threads do between runs. JavaScript
 * writes the job, calls `run` as thread 0, and reads the outcome.
 *
 * A waiting thread looks for the next run for some 50 microseconds, because the next token's often comes that soon, and
 * then sleeps on a futex. Between commands threads meet at a barrier; where cores are fewer than threads they give
 * way now and then.
 */
import { asCFunction } from './enter.ts';
import { STATUS_OFFSET } from './kernel.ts';
import {
  Assembler,
  type Gpr,
  mem,
  memAt,
  r8,
  r9,
  r10,
  r11,
  rax,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from './x64/index.ts';

/** Cache line: what several threads write lies in lines of its own. */
const LINE = 64;

/** Offsets in the control block, which all threads share. i32 unless a line says otherwise. */
export const CONTROL = {
  /** Counts runs; a futex. */
  posted: 0,
  /** Threads that sleep, or are about to. */
  sleepers: LINE,
  /** Not 0: threads end at the next post. */
  ended: 2 * LINE,
  /** Not 0: the run stops after its current command. */
  abandoned: 2 * LINE + 4,
  /** Threads that have come to the barrier. */
  arrived: 3 * LINE,
  /** Counts barriers that all threads have passed. */
  generation: 4 * LINE,
  /** i64 from here on: address of the tape and of its end. */
  tape: 5 * LINE,
  end: 5 * LINE + 8,
  counters: 5 * LINE + 16,
  /** Address of thread 0's scratch; bytes to the next thread's. */
  scratch: 5 * LINE + 24,
  stride: 5 * LINE + 32,
  threads: 5 * LINE + 40,
  /** Address of the kernels' addresses by number. */
  kernels: 5 * LINE + 48,
  /** A record of two i64 for each thread but the first: address of this block, number of the thread. */
  records: 6 * LINE,
} as const;

/** Bytes of a thread's record, and of a command's counter with its status. */
export const RECORD_BYTES = 16;
export const COUNTER_BYTES = LINE;

/** Status of the command after which a run was abandoned; kernels themselves use 1. */
export const ABANDONED = 2;

/** Linux on x86-64: numbers of system calls; <linux/futex.h>, with FUTEX_PRIVATE_FLAG. */
const SYS = { sched_yield: 24, futex: 202 } as const;
const FUTEX_WAIT_PRIVATE = 128;
const FUTEX_WAKE_PRIVATE = 129;
const EVERYBODY = 2 ** 31 - 1;

/** Looks at a barrier before a thread gives way to others: about 20 microseconds. */
const LOOKS = 1000;
/** Ticks of the time stamp counter that a thread looks for work before it sleeps: about 50 microseconds. */
const WAKEFUL = 150_000;

/** Places on the stack of a walk. */
const FRAME = {
  control: 0,
  thread: 8,
  threads: 16,
  scratch: 24,
  counter: 32,
  at: 40,
  end: 48,
  kernels: 56,
  bytes: 72,
};

export interface WalkCode {
  readonly code: Uint8Array;
  /** Offsets of the C functions: `run(control)` and `wake(control)`, and a thread's `entry(record)`. */
  readonly run: number;
  readonly wake: number;
  readonly entry: number;
}

/** The code of all threads. */
export function walkCode(): WalkCode {
  const a = new Assembler();
  const walk = a.label();
  const run = a.size;
  asCFunction(a, () => {
    a.x.mov(rbx, rdi);
    emitPost(a, rbx);
    a.x.mov(rdi, rbx);
    a.x.xor(rsi, rsi);
    a.call(walk);
  });
  a.align(LINE);
  const wake = a.size;
  asCFunction(a, () => {
    a.x.mov(rbx, rdi);
    emitPost(a, rbx);
  });
  a.align(LINE);
  const entry = a.size;
  asCFunction(a, () => emitThread(a, () => a.call(walk)));
  a.align(LINE);
  a.bind(walk);
  emitWalk(a);
  return { code: a.finish(), run, wake, entry };
}

/** Counts `posted` up and wakes who sleeps. Sleepers count themselves before they look a last time, so none is missed. */
function emitPost(a: Assembler, control: Gpr): void {
  const none = a.label();
  a.x.mov(rax, 1);
  a.x.lockXadd32(mem(control, CONTROL.posted), rax);
  a.x.load32s(rax, mem(control, CONTROL.sleepers));
  a.x.test(rax, rax);
  a.j('e', none);
  a.x.lea(rdi, mem(control, CONTROL.posted));
  a.x.mov(rsi, FUTEX_WAKE_PRIVATE);
  a.x.mov(rdx, EVERYBODY);
  a.x.mov(rax, SYS.futex);
  a.x.syscall();
  a.bind(none);
}

/** The life of a thread: rdi is its record. On the stack: the record, and the count of runs that it has seen. */
function emitThread(a: Assembler, walk: () => void): void {
  const { x } = a;
  const [wait, look, sleep, found, out] = [a.label(), a.label(), a.label(), a.label(), a.label()];
  x.lea(rsp, mem(rsp, -16));
  x.store64(mem(rsp), rdi);
  x.store64(mem(rsp, 8), 0);

  a.bind(wait); // rbx: control, rsi: runs seen, r8: when the wait began
  x.mov(rbx, mem(rsp));
  x.mov(rbx, mem(rbx));
  x.mov(rsi, mem(rsp, 8));
  emitTicks(a, r8);
  a.bind(look);
  x.load32s(rax, mem(rbx, CONTROL.posted));
  x.cmp(rax, rsi);
  a.j('ne', found);
  x.pause();
  emitTicks(a, r9);
  x.sub(r9, r8);
  x.cmp(r9, WAKEFUL);
  a.j('b', look);

  a.bind(sleep);
  emitAdd(a, rbx, CONTROL.sleepers, 1);
  x.lea(rdi, mem(rbx, CONTROL.posted));
  x.mov(rdx, mem(rsp, 8));
  x.mov(rsi, FUTEX_WAIT_PRIVATE);
  x.xor(r10, r10);
  x.mov(rax, SYS.futex);
  x.syscall();
  emitAdd(a, rbx, CONTROL.sleepers, -1);
  x.mov(rsi, mem(rsp, 8));
  x.load32s(rax, mem(rbx, CONTROL.posted));
  x.cmp(rax, rsi);
  a.j('e', sleep);

  a.bind(found);
  x.store64(mem(rsp, 8), rax);
  x.load32s(rax, mem(rbx, CONTROL.ended));
  x.test(rax, rax);
  a.j('ne', out);
  x.mov(rax, mem(rsp));
  x.mov(rdi, mem(rax));
  x.mov(rsi, mem(rax, 8));
  walk();
  a.jmp(wait);
  a.bind(out);
  x.lea(rsp, mem(rsp, 16));
}

function emitAdd(a: Assembler, control: Gpr, offset: number, value: number): void {
  a.x.mov(rax, value);
  a.x.lockXadd32(mem(control, offset), rax);
}

/** The time stamp counter; spends rax and rdx. */
function emitTicks(a: Assembler, target: Gpr): void {
  a.x.rdtsc();
  a.x.mov(target, rdx);
  a.x.shl(target, 32);
  a.x.or(target, rax);
}

/**
 * `walk(control, thread)`. @returns rax: 0, or where a status is not 0 the command's number from 1 on. All threads leave
 * after the same command. The last barrier makes sure that none reads the job any more once thread 0 is back.
 */
function emitWalk(a: Assembler): void {
  const { x } = a;
  const [top, out] = [a.label(), a.label()];
  x.lea(rsp, mem(rsp, -FRAME.bytes));
  emitFrame(a);
  a.bind(top);
  x.mov(rax, mem(rsp, FRAME.at));
  x.cmp(rax, mem(rsp, FRAME.end));
  x.mov(r9, 0); // keeps the flags
  a.j('ae', out);
  emitCommand(a);
  emitBarrier(a, () => emitAbandon(a));
  x.mov(rcx, mem(rsp, FRAME.counter));
  x.load32s(r9, mem(rcx, STATUS_OFFSET));
  x.add(rcx, COUNTER_BYTES);
  x.store64(mem(rsp, FRAME.counter), rcx);
  x.test(r9, r9);
  a.j('e', top);
  x.mov(rdi, mem(rsp, FRAME.control));
  x.mov(r9, rcx);
  x.sub(r9, mem(rdi, CONTROL.counters));
  x.shr(r9, Math.log2(COUNTER_BYTES));
  a.bind(out);
  x.store64(mem(rsp, FRAME.at), r9);
  emitBarrier(a, () => {});
  x.mov(rax, mem(rsp, FRAME.at));
  x.lea(rsp, mem(rsp, FRAME.bytes));
  x.ret();
}

/** Copies the job to the stack. rdi: control, rsi: thread. */
function emitFrame(a: Assembler): void {
  const { x } = a;
  x.store64(mem(rsp, FRAME.control), rdi);
  x.store64(mem(rsp, FRAME.thread), rsi);
  x.imul(rsi, mem(rdi, CONTROL.stride));
  x.add(rsi, mem(rdi, CONTROL.scratch));
  x.store64(mem(rsp, FRAME.scratch), rsi);
  const copies = [
    [CONTROL.threads, FRAME.threads],
    [CONTROL.counters, FRAME.counter],
    [CONTROL.tape, FRAME.at],
    [CONTROL.end, FRAME.end],
    [CONTROL.kernels, FRAME.kernels],
  ] as const;
  for (const [from, to] of copies) {
    x.mov(rax, mem(rdi, from));
    x.store64(mem(rsp, to), rax);
  }
}

/** Calls the kernel of the command at rax, and moves on to the next one. */
function emitCommand(a: Assembler): void {
  const { x } = a;
  x.vcvttsd2si(r9, mem(rax));
  x.vcvttsd2si(r10, mem(rax, 8));
  x.lea(r8, mem(rax, 16));
  x.lea(r10, memAt(r8, r10, 8));
  x.store64(mem(rsp, FRAME.at), r10);
  x.mov(r11, mem(rsp, FRAME.kernels));
  x.mov(rdi, mem(rsp, FRAME.thread));
  x.mov(rsi, mem(rsp, FRAME.threads));
  x.mov(rdx, mem(rsp, FRAME.scratch));
  x.mov(rcx, mem(rsp, FRAME.counter));
  x.callAt(memAt(r11, r9, 8));
}

/** Waits for all threads. `last` is what the last one does before any of them goes on; rdi is the control block there. */
function emitBarrier(a: Assembler, last: () => void): void {
  const { x } = a;
  const [wait, look, over] = [a.label(), a.label(), a.label()];
  x.mov(rdi, mem(rsp, FRAME.control));
  x.load32s(r8, mem(rdi, CONTROL.generation));
  x.mov(rax, 1);
  x.lockXadd32(mem(rdi, CONTROL.arrived), rax);
  x.add(rax, 1);
  x.cmp(rax, mem(rsp, FRAME.threads));
  a.j('ne', wait);
  last();
  x.store32(mem(rdi, CONTROL.arrived), 0);
  x.add(r8, 1);
  x.store32(mem(rdi, CONTROL.generation), r8);
  a.jmp(over);
  a.bind(wait);
  x.mov(r9, LOOKS);
  a.bind(look);
  x.load32s(rax, mem(rdi, CONTROL.generation));
  x.cmp(rax, r8);
  a.j('ne', over);
  x.pause();
  x.sub(r9, 1);
  a.j('ne', look);
  x.mov(rax, SYS.sched_yield);
  x.syscall();
  a.jmp(wait);
  a.bind(over);
}

/** Where the run is to stop, the command's status says so to all threads. */
function emitAbandon(a: Assembler): void {
  const none = a.label();
  a.x.load32s(rax, mem(rdi, CONTROL.abandoned));
  a.x.test(rax, rax);
  a.j('e', none);
  a.x.mov(rcx, mem(rsp, FRAME.counter));
  a.x.store32(mem(rcx, STATUS_OFFSET), ABANDONED);
  a.bind(none);
}
