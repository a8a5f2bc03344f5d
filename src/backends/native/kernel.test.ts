/** Kernels by themselves: arguments arrive, loops and claims count, registers run out with a clear error. */
import { describe, expect, test } from 'vitest';
import { assembleKernel, defineKernel } from './kernel.ts';
import { LEVELS } from './level.ts';
import { KernelBench, noLevels, testLevels } from './testing.cases.ts';
import { mem } from './x64/index.ts';

const scale = defineKernel({
  name: 'scale',
  args: ['x', 'count', 'factor'],
  emit: (k) => {
    const { x, count } = k.ints('x', 'count');
    const factor = k.float('factor');
    const value = k.vec('value');
    k.countdown(count, () => {
      k.x.vmulps(value, factor, mem(x));
      k.x.vmovups_store(mem(x), value);
      k.x.add(x, k.level.bytes);
    });
  },
});

if (testLevels.length === 0) console.log(`skipped: machine code, because ${noLevels}`);

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  test('a kernel scales 32 numbers in place', () => {
    const bench = new KernelBench(level);
    const x = bench.put(Float32Array.from({ length: 32 }, (_, i) => i));
    bench.run(scale, { x, count: 128 / level.bytes, factor: -0.5 });
    expect([...bench.f32(x, 32)]).toEqual(Array.from({ length: 32 }, (_, i) => (i === 0 ? -0 : i * -0.5)));
  });
});

const picky = defineKernel({
  name: 'picky',
  args: ['index', 'limit'],
  emit: (k) => {
    const { index, limit } = k.ints('index', 'limit');
    k.x.cmp(index, limit);
    k.when('ae', () => k.refuse());
  },
});

test.skipIf(testLevels.length === 0)('a kernel that refuses an index says so in its status', () => {
  const bench = new KernelBench(testLevels[0]);
  expect(bench.run(picky, { index: 2, limit: 3 })).toBe(0);
  expect(bench.run(picky, { index: 3, limit: 3 }, { threads: 2 })).toBe(1);
  expect(bench.run(picky, { index: -1, limit: 3 })).toBe(1);
});

test('a kernel that asks for too many registers names them', () => {
  const greedy = defineKernel({ name: 'greedy', args: [], emit: (k) => void k.vecs('sum', 17) });
  expect(() => assembleKernel(greedy, LEVELS.avx2)).toThrow(
    'kernel greedy for avx2: no vector register is left for "sum16": in use by sum0, sum1,',
  );
});
