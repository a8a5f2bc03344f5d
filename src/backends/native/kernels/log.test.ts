/** Logarithms of single numbers against those of the runtime. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../../test/random.ts';
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { mem, type Register } from '../x64/index.ts';
import { log, log1p } from './log.ts';

if (testLevels.length === 0) console.log(`skipped: logarithms, because ${noLevels}`);

const over = (name: string, apply: (k: KernelBuilder, x: Register<'xmm'>) => void) =>
  defineKernel({
    name,
    args: ['x', 'count'],
    emit: (k) => {
      const { x, count } = k.ints('x', 'count');
      const value = k.registers.xmm('value');
      k.countdown(count, () => {
        k.x.vmovsd(value, mem(x));
        apply(k, value);
        k.x.vmovsd_store(mem(x), value);
        k.x.add(x, 8);
      });
    },
  });

const LOG = over('log', log);
const LOG1P = over('log1p', log1p);

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);
  const random = uniform(1);

  function apply(kernel: typeof LOG, values: Float64Array): Float64Array {
    const x = bench.put(values);
    bench.run(kernel, { x, count: values.length });
    return bench.f64(x, values.length);
  }

  function worst(kernel: typeof LOG, values: Float64Array, exact: (x: number) => number): number {
    return apply(kernel, values).reduce((most, found, i) => {
      const wanted = exact(values[i]);
      return Math.max(most, Math.abs(found - wanted) / Math.abs(wanted || 1));
    }, 0);
  }

  test('ln x from 1e-300 to 1e300, and close to 1', () => {
    const wide = Float64Array.from({ length: 10_000 }, () => 10 ** (600 * random() - 300));
    const close = Float64Array.from({ length: 10_000 }, () => 1 + (random() - 0.3) * 10 ** (-14 * random()));
    expect(worst(LOG, wide, Math.log)).toBeLessThan(1e-15);
    expect(worst(LOG, close, Math.log)).toBeLessThan(1e-15);
    expect([...apply(LOG, Float64Array.of(1, Number.NaN, 2))]).toEqual([0, Number.NaN, Math.LN2]);
  });

  test('ln(1 + y), however small y is', () => {
    const values = Float64Array.from({ length: 10_000 }, () => (random() - 0.4) * 10 ** (4 - 24 * random()));
    expect(
      worst(
        LOG1P,
        values.filter((y) => y > -1 && y !== 0),
        Math.log1p,
      ),
    ).toBeLessThan(2e-15);
    expect([...apply(LOG1P, Float64Array.of(0, 1e-300, Number.NaN))]).toEqual([0, 1e-300, Number.NaN]);
  });
});
