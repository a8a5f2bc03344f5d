/**
 * The walk over a tape in machine code, which every thread makes in step, and what threads do between runs. JavaScript
 * writes the job, calls `run` as thread 0, and reads the outcome.
 *
 * A waiting thread looks for the next run for some 50 microseconds, because the next token's often comes that soon, and
 * then sleeps on a futex. Between commands threads meet at a barrier, which takes two of them some 80 ns; where cores are
 * fewer than threads they give way now and then.
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
  /** i64 from here on: address of the tape and of its end. */
  tape: 3 * LINE,
  end: 3 * LINE + 8,
  counters: 3 * LINE + 16,
  /** Address of thread 0's scratch; bytes to the next thread's. */
  scratch: 3 * LINE + 24,
  stride: 3 * LINE + 32,
  threads: 3 * LINE + 40,
  /** Address of the kernels' addresses by number. */
  kernels: 3 * LINE + 48,
  /** A record for each thread. */
  records: 4 * LINE,
} as const;

/** Offsets in a thread's record: i64 address of the control block, i64 number, i32 count of barriers that it came to. */
export const RECORD = { control: 0, thread: 8, barriers: 16, bytes: LINE } as const;

/** Bytes of a command's counter and status. */
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
  record: 0,
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
    a.x.lea(rdi, mem(rbx, CONTROL.records));
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
  x.mov(rbx, mem(rbx, RECORD.control));
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
  x.mov(rdi, mem(rsp));
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
 * `walk(record)`. @returns rax: 0, or where a status is not 0 the command's number from 1 on. All threads leave after
 * the same command. The last barrier makes sure that none reads the job any more once thread 0 is back.
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
  emitAbandon(a);
  emitBarrier(a);
  x.mov(rcx, mem(rsp, FRAME.counter));
  x.load32s(r9, mem(rcx, STATUS_OFFSET));
  x.add(rcx, COUNTER_BYTES);
  x.store64(mem(rsp, FRAME.counter), rcx);
  x.test(r9, r9);
  a.j('e', top);
  emitControl(a);
  x.mov(r9, rcx);
  x.sub(r9, mem(rdi, CONTROL.counters));
  x.shr(r9, Math.log2(COUNTER_BYTES));
  a.bind(out);
  x.store64(mem(rsp, FRAME.at), r9);
  emitBarrier(a);
  x.mov(rax, mem(rsp, FRAME.at));
  x.lea(rsp, mem(rsp, FRAME.bytes));
  x.ret();
}

/** Copies the job to the stack. rdi: the thread's record. */
function emitFrame(a: Assembler): void {
  const { x } = a;
  x.store64(mem(rsp, FRAME.record), rdi);
  x.mov(rsi, mem(rdi, RECORD.thread));
  x.mov(rdi, mem(rdi, RECORD.control));
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

/** The control block in rdi. */
function emitControl(a: Assembler): void {
  a.x.mov(rdi, mem(rsp, FRAME.record));
  a.x.mov(rdi, mem(rdi, RECORD.control));
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

/**
 * Waits for all threads: each says in its own record how many barriers it has come to, and looks at all the others'.
 * That is one cache line's way from thread to thread; a common counter takes three.
 */
function emitBarrier(a: Assembler): void {
  const { x } = a;
  const [wait, look, next] = [a.label(), a.label(), a.label()];
  emitControl(a);
  x.mov(r10, mem(rsp, FRAME.record));
  x.load32s(r8, mem(r10, RECORD.barriers));
  x.add(r8, 1);
  x.store32(mem(r10, RECORD.barriers), r8);
  x.lea(r10, mem(rdi, CONTROL.records));
  x.mov(rdx, mem(rsp, FRAME.threads));
  a.bind(wait);
  x.mov(r9, LOOKS);
  a.bind(look);
  x.load32s(rax, mem(r10, RECORD.barriers));
  x.sub(rax, r8);
  x.load32s(rax, rax); // the counts wrap around
  x.test(rax, rax);
  a.j('ns', next);
  x.pause();
  x.sub(r9, 1);
  a.j('ne', look);
  x.mov(rax, SYS.sched_yield);
  x.syscall();
  a.jmp(wait);
  a.bind(next);
  x.add(r10, RECORD.bytes);
  x.sub(rdx, 1);
  a.j('ne', look);
}

/** Where the run is to stop, thread 0 says so to all in the command's status, before any of them goes on. */
function emitAbandon(a: Assembler): void {
  const none = a.label();
  a.x.mov(rax, mem(rsp, FRAME.thread));
  a.x.test(rax, rax);
  a.j('ne', none);
  emitControl(a);
  a.x.load32s(rax, mem(rdi, CONTROL.abandoned));
  a.x.test(rax, rax);
  a.j('e', none);
  a.x.mov(rcx, mem(rsp, FRAME.counter));
  a.x.store32(mem(rcx, STATUS_OFFSET), ABANDONED);
  a.bind(none);
}
