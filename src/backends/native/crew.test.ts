/** Threads in machine code: in step through thousands of short runs, stopped by a refusal, woken, closed. */
import { afterEach, describe, expect, test } from 'vitest';
import { koffiSystem } from '../../platform/koffi-system.ts';
import { encode } from '../tape/encode.ts';
import type { Job } from '../tape/job.ts';
import type { Command } from '../tape/lower.ts';
import { NativeCrew } from './crew.ts';
import { defineKernel } from './kernel.ts';
import { KernelTable } from './kernel-table.ts';
import { NativeMemory } from './memory.ts';
import type { NativeSystem } from './system.ts';
import { noLevels, testLevels } from './testing.cases.ts';
import { mem, memAt } from './x64/index.ts';

const found = await koffiSystem();
const [level] = testLevels;
const skipped = 'reason' in found || level === undefined;
if (skipped) console.log(`skipped: threads of machine code, because ${noLevels}`);

/** Counts i64 `cell` up by the thread's number + 1: threads that all call it add n (n + 1) / 2. */
const count = defineKernel({
  name: 'count',
  args: ['cell'],
  emit: (k) => {
    const cell = k.int('cell');
    k.x.add(k.thread, 1);
    k.x.lockXadd64(mem(cell), k.thread);
  },
});

/** `out[thread] = max(all of in) + 1`: wrong where a thread still writes `in`, or reads it late. */
const chain = defineKernel({
  name: 'chain',
  args: ['in', 'out'],
  emit: (k) => {
    const { in: input, out } = k.ints('in', 'out');
    const [most, value] = [k.gpr('most'), k.gpr('value')];
    k.clear(most);
    k.x.lea(out, memAt(out, k.thread, 8));
    k.countdown(k.threads, () => {
      k.x.mov(value, memAt(input, k.threads, 8, -8));
      k.x.cmp(value, most);
      k.x.cmov('g', most, value);
    });
    k.x.add(most, 1);
    k.x.store64(mem(out), most);
  },
});

/** Claims pieces until none of `pieces` is left and adds their numbers to i64 `sum`; fills its scratch with the thread. */
const claims = defineKernel({
  name: 'claims',
  args: ['pieces', 'sum'],
  emit: (k) => {
    const { pieces, sum } = k.ints('pieces', 'sum');
    const piece = k.gpr('piece');
    k.x.store64(mem(k.scratch), k.thread);
    k.claim(piece);
    k.while(piece, 'l', pieces, () => {
      k.x.lockXadd64(mem(sum), piece);
      k.claim(piece);
    });
  },
});

/** Refuses where i64 `cell` has reached `limit`. */
const refuse = defineKernel({
  name: 'refuse',
  args: ['cell', 'limit'],
  emit: (k) => {
    const { cell, limit } = k.ints('cell', 'limit');
    const value = k.gpr('value');
    k.x.mov(value, mem(cell));
    k.x.cmp(value, limit);
    k.when('ge', () => k.refuse());
  },
});

/** Looks at i64 `cell` until it is not 0, for half a minute at most, and stores what it saw in `seen`. */
const waitFor = defineKernel({
  name: 'wait',
  args: ['cell', 'seen'],
  emit: (k) => {
    const { cell, seen } = k.ints('cell', 'seen');
    const [value, looks] = [k.gpr('value'), k.gpr('looks')];
    k.x.mov(looks, 1e9);
    const done = k.label();
    k.countdown(looks, () => {
      k.x.pause();
      k.x.mov(value, mem(cell));
      k.x.test(value, value);
      k.j('ne', done);
    });
    k.bind(done);
    k.x.store64(mem(seen), value);
  },
});

const KERNELS = [count, chain, claims, refuse, waitFor];
const SCRATCH = 128;
/** Estimates on both sides of what runs on JavaScript's thread. */
const WORK = { here: 0, elsewhere: 1e12 } as const;

class Rig {
  readonly memory: NativeMemory;
  readonly crew: NativeCrew;
  readonly #kernels: KernelTable;

  constructor(system: NativeSystem, threads: number) {
    this.memory = new NativeMemory(system, Number.POSITIVE_INFINITY);
    this.#kernels = new KernelTable(system, level, KERNELS);
    this.crew = new NativeCrew(system, this.#kernels, threads);
  }

  i64(address: number, length: number): number[] {
    return [...new BigInt64Array(this.memory.bytes(address, 8 * length).buffer)].map(Number);
  }

  job(commands: readonly Command[], work = 0): Job {
    const tape = Float64Array.from(encode(commands, this.#kernels));
    const at = this.memory.alloc(tape.byteLength + 8, 'tape');
    this.memory.bytes(at, tape.byteLength).set(new Uint8Array(tape.buffer));
    const counters = this.memory.alloc(64 * commands.length + 64, 'counters');
    const scratch = this.memory.alloc(SCRATCH * this.crew.threads, 'scratch');
    return { tape: at, length: tape.length, counters, scratch, scratchStride: SCRATCH, barrier: 0, work };
  }

  async close(): Promise<void> {
    await this.crew.close();
    this.memory.close();
  }
}

const open: Rig[] = [];
function rig(threads: number, system = found): Rig {
  if ('reason' in system) throw new Error(system.reason);
  const made = new Rig(system, threads);
  open.push(made);
  return made;
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(skipped).each([1, 2, 3, 5])('%d threads', (threads) => {
  const all = (threads * (threads + 1)) / 2;

  test('each calls every kernel of a run once, with its own number', async () => {
    const one = rig(threads);
    const cell = one.memory.alloc(8, 'cell');
    const job = one.job([{ kernel: 'count', args: [cell] }]);
    await one.crew.run(job);
    expect(one.i64(cell, 1)).toEqual([all]);
  });

  test('no command begins before all threads have ended the one before: 3000 that build on each other', async () => {
    const one = rig(threads);
    const cells = [0, 1].map(() => one.memory.alloc(8 * threads, 'cells'));
    const commands = Array.from({ length: 3000 }, (_, i) => ({
      kernel: 'chain',
      args: [cells[i % 2], cells[1 - (i % 2)]],
    }));
    const job = one.job(commands);
    await one.crew.run(job);
    expect(one.i64(cells[0], threads)).toEqual(new Array(threads).fill(3000));
    await one.crew.run({ ...job, work: WORK.elsewhere });
    expect(one.i64(cells[0], threads)).toEqual(new Array(threads).fill(6000));
  });

  test('no run is lost or made twice: 3000 at once, some after a pause in which threads sleep', async () => {
    const one = rig(threads);
    const cell = one.memory.alloc(8, 'cell');
    const command = { kernel: 'count', args: [cell] };
    const jobs = [WORK.here, WORK.elsewhere].map((work) => one.job([command, command], work));
    for (let i = 0; i < 3000; i++) {
      await one.crew.run(jobs[Number(i % 7 === 0)]);
      if (i % 100 === 0) await sleep(1);
    }
    expect(one.i64(cell, 1)).toEqual([2 * 3000 * all]);
  });

  test('pieces are claimed once each; scratch is private and 128 bytes apart', async () => {
    const one = rig(threads);
    const sum = one.memory.alloc(8, 'sum');
    const job = one.job([{ kernel: 'claims', args: [1000, sum] }]);
    await one.crew.run(job);
    expect(one.i64(sum, 1)).toEqual([499500]);
    const numbers = Array.from({ length: threads }, (_, t) => one.i64(job.scratch + SCRATCH * t, 1)[0]);
    expect(numbers).toEqual(Array.from({ length: threads }, (_, t) => t));
  });

  test('a kernel that refuses stops the run for all after this command, by name; the crew goes on', async () => {
    const one = rig(threads);
    const cell = one.memory.alloc(8, 'cell');
    const commands = Array.from({ length: 40 }, () => [
      { kernel: 'count', args: [cell] },
      { kernel: 'refuse', args: [cell, 10 * all] },
    ]).flat();
    for (const work of Object.values(WORK)) {
      for (let time = 0; time < 50; time++) {
        one.memory.bytes(cell, 8).fill(0);
        await expect(one.crew.run(one.job(commands, work))).rejects.toThrow(
          'kernel refuse stopped: a token, row or target that does not exist',
        );
        expect(one.i64(cell, 1)).toEqual([10 * all]);
      }
    }
    await one.crew.run(one.job([{ kernel: 'count', args: [cell] }]));
    expect(one.i64(cell, 1)).toEqual([11 * all]);
  });

  test('closing during a run ends it after its current command', async () => {
    const one = rig(threads);
    const cell = one.memory.alloc(8, 'cell');
    const gate = one.memory.alloc(8, 'gate');
    const commands = [
      { kernel: 'wait', args: [gate, one.memory.alloc(8, 'seen')] },
      { kernel: 'count', args: [cell] },
    ];
    const refused = expect(one.crew.run(one.job(commands, WORK.elsewhere))).rejects.toThrow(
      'the native backend was closed during a run',
    );
    const closing = one.crew.close();
    one.memory.bytes(gate, 8).fill(1);
    await closing;
    await refused;
    expect(one.i64(cell, 1)).toEqual([0]);
    await expect(one.crew.run(one.job([]))).rejects.toThrow('the native backend is closed');
  });

  test('a run without commands ends at once', async () => {
    const one = rig(threads);
    await one.crew.run(one.job([]));
    await one.crew.run(one.job([], WORK.elsewhere));
    expect(one.crew.threads).toBe(threads);
  });
});

test.skipIf(skipped)('four crews of three threads run side by side', async () => {
  const rigs = Array.from({ length: 4 }, () => rig(3));
  const sums = await Promise.all(
    rigs.map(async (one) => {
      const cell = one.memory.alloc(8, 'cell');
      const job = one.job([{ kernel: 'count', args: [cell] }], WORK.elsewhere);
      for (let i = 0; i < 200; i++) await one.crew.run(job);
      return one.i64(cell, 1)[0];
    }),
  );
  expect(sums).toEqual([1200, 1200, 1200, 1200]);
});

test.skipIf(skipped)('timers go on during a long run', async () => {
  const one = rig(2);
  const [gate, seen] = [one.memory.alloc(8, 'gate'), one.memory.alloc(8, 'seen')];
  setTimeout(() => one.memory.bytes(gate, 8).fill(1), 5);
  await one.crew.run(one.job([{ kernel: 'wait', args: [gate, seen] }], WORK.elsewhere));
  expect(one.i64(seen, 1)[0]).not.toBe(0);
});

test.skipIf(skipped)('when the process is about to end, a run stops after its current command', async () => {
  if ('reason' in found) return;
  const hooks = new Set<() => void>();
  const onExit = (hook: () => void) => {
    hooks.add(hook);
    return () => void hooks.delete(hook);
  };
  const one = rig(
    2,
    new Proxy(found, { get: (target, key) => (key === 'onExit' ? onExit : bind(target, key)) }),
  );
  const [gate, cell] = [one.memory.alloc(8, 'gate'), one.memory.alloc(8, 'cell')];
  const commands = [
    { kernel: 'wait', args: [gate, one.memory.alloc(8, 'seen')] },
    { kernel: 'count', args: [cell] },
  ];
  const run = expect(one.crew.run(one.job(commands, WORK.elsewhere))).rejects.toThrow('closed during a run');
  for (const hook of hooks) hook();
  one.memory.bytes(gate, 8).fill(1);
  await run;
  expect(one.i64(cell, 1)).toEqual([0]);
  await one.close();
  expect(hooks.size).toBe(0);
});

/** A property of the target, as its own. */
function bind(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key, target);
  return typeof value === 'function' ? value.bind(target) : value;
}
