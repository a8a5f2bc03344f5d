/** Probes do what they count: sums that stay zero, memory that is read whole, times that are there. No speed is asserted. */
import { describe, expect, test } from 'vitest';
import { koffiSystem } from '../../../platform/koffi-system.ts';
import { cpuFeatures } from '../cpu.ts';
import { defineKernel } from '../kernel.ts';
import { noLevels, testLevels } from '../testing.cases.ts';
import { memAt } from '../x64/index.ts';
import { KernelClock } from './clock.ts';
import { measureRates } from './index.ts';
import { readMemory, touchMemory } from './memory.ts';

const system = await koffiSystem();
if (testLevels.length === 0) console.log(`skipped: probes, because ${noLevels}`);

/** Adds thread + 1 to the i32 at `cells + 4 * turn`, atomically. */
const tally = defineKernel({
  name: 'tally',
  args: ['cells'],
  emit: (k) => {
    const cells = k.int('cells');
    k.x.add(k.thread, 1);
    k.x.lockXadd32(memAt(cells, k.scratch, 4), k.thread);
  },
});

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  if ('reason' in system) return;

  test('every thread runs every turn once, and every turn takes time', () => {
    const clock = new KernelClock(system, level);
    const cells = system.map(4 * 50, 'cells');
    const times = clock.time(tally, { cells: cells.address }, 3, 50);
    expect([...new Int32Array(system.view(cells.address, 4 * 50))]).toEqual(Array(50).fill(1 + 2 + 3));
    expect(times).toHaveLength(50);
    expect(times.every((time) => time > 0)).toBe(true);
    expect(clock.hertz).toBeGreaterThan(0);
    clock.close();
    cells.unmap();
  });

  test('threads touch their parts of each window and nothing else', () => {
    const clock = new KernelClock(system, level);
    const memory = system.map(8192, 'memory');
    const bytes = new Uint8Array(system.view(memory.address, 8192)).fill(1);
    // Two threads, three windows of two parts of 1024 bytes, from byte 512 on.
    const args = { from: memory.address + 512, bytes: 1024, windows: 3 };
    clock.time(touchMemory, args, 2, 2);
    expect([bytes.indexOf(0), bytes.lastIndexOf(0)]).toEqual([512, 512 + 4 * 1024 - 1]);
    expect(bytes.filter((byte) => byte === 0)).toHaveLength(4 * 1024);
    bytes.fill(1);
    clock.time(touchMemory, args, 2, 4);
    expect([bytes.indexOf(0), bytes.lastIndexOf(0)]).toEqual([512, 512 + 6 * 1024 - 1]);
    clock.time(readMemory, args, 2, 4);
    clock.close();
    memory.unmap();
  });

  test('rates are told for what the machine has', () => {
    const features = cpuFeatures(system);
    const measured = measureRates({ system, level, features, threads: 2, bytes: 2 ** 22 });
    expect(measured).toMatchObject({ level: level.name, threads: 2 });
    const bf16 = level.avx512 && features.avx512Bf16 ? ['bf16'] : [];
    const tiles = features.amx ? ['amxInt8', 'amxBf16'] : [];
    expect(Object.keys(measured.rates)).toEqual(['f32', 'int8', ...bf16, ...tiles]);
    for (const { one, all } of [measured.bandwidth, ...Object.values(measured.rates)]) {
      expect(one).toBeGreaterThan(0);
      expect(all).toBeGreaterThan(0);
    }
  });
});
