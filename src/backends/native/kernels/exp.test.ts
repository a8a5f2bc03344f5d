/** The shared e^x at every level, against f64. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../../test/random.ts';
import { defineKernel, type KernelBuilder } from '../kernel.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { mem, type Vec } from '../x64/index.ts';
import { exp, expLess1 } from './exp.ts';

/** A kernel that applies `apply` to numbers in place. */
const over = (name: string, apply: (k: KernelBuilder, x: Vec) => void) =>
  defineKernel({
    name,
    args: ['x', 'vectors'],
    emit: (k) => {
      const { x, vectors } = k.ints('x', 'vectors');
      const value = k.vec('value');
      k.countdown(vectors, () => {
        k.x.vmovups(value, mem(x));
        apply(k, value);
        k.x.vmovups_store(mem(x), value);
        k.x.add(x, k.level.bytes);
      });
    },
  });

const EXP = over('exp', (k, x) => exp(k, x));
const EXP_AT_MOST_0 = over('exp_at_most_0', (k, x) => exp(k, x, { atMost0: true }));
const LESS = over('less', expLess1);

const COUNT = 100_000;

function apply(bench: KernelBench, kernel: typeof EXP, xs: Float32Array): Float32Array {
  const vectors = Math.ceil((4 * xs.length) / bench.level.bytes);
  const padded = new Float32Array((vectors * bench.level.bytes) / 4);
  padded.set(xs);
  const x = bench.put(padded);
  bench.run(kernel, { x, vectors });
  return bench.f32(x, xs.length).slice();
}

/** Distance between neighbouring f32 at `value`, subnormals included. */
function unit(value: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -126) - 23);
}

/** Largest error in units in the last place of the exact result. */
function worst(found: Float32Array, xs: Float32Array, exact: (x: number) => number): number {
  return found.reduce((most, value, i) => {
    const wanted = exact(xs[i]);
    return Math.max(most, Math.abs(value - wanted) / unit(wanted));
  }, 0);
}

/** Evenly random numbers. */
function between(from: number, to: number): Float32Array {
  const random = uniform(1);
  return Float32Array.from({ length: COUNT }, () => from + (to - from) * random());
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

if (testLevels.length === 0) console.log(`skipped: e^x, because ${noLevels}`);

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each([
    ['where softmax and silu live', -20, 20],
    ['all normal results', -87.3, 88.7],
    ['subnormal results', -103.9, -87.3],
  ])('e^x is within a unit in the last place: %s, %d to %d', (_, from, to) => {
    const xs = between(from, to);
    expect(worst(apply(bench, EXP, xs), xs, Math.exp)).toBeLessThan(1);
  });

  test('e^x of 0 is 1, of -inf and below -104 is 0, of large x is infinite, of NaN is NaN', () => {
    const xs = Float32Array.of(0, -0, -inf, -104, -1e30, inf, 88.73, 3e38, nan);
    expect([...apply(bench, EXP, xs)]).toEqual([1, 1, 0, 0, 0, inf, inf, inf, nan]);
  });

  test('NaN stays NaN whatever its lower bits', () => {
    const xs = new Float32Array(Uint32Array.of(0x7fc00001, 0xffc001ff, 0x7fffffff, 0xffc00155).buffer);
    expect([...apply(bench, EXP, xs)]).toEqual([nan, nan, nan, nan]);
    expect([...apply(bench, EXP_AT_MOST_0, xs)]).toEqual([nan, nan, nan, nan]);
  });

  test('e^x for x at most 0 has the same bits', () => {
    const xs = between(-110, 0);
    expect(apply(bench, EXP_AT_MOST_0, xs)).toEqual(apply(bench, EXP, xs));
  });

  test('the same bits as at the first level', () => {
    const xs = between(-104, 89);
    const [first] = testLevels;
    expect(apply(bench, EXP, xs)).toEqual(apply(new KernelBench(first), EXP, xs));
  });

  test('e^x - 1 is within 2 units in the last place for |x| up to ln 2 / 2', () => {
    const xs = between(-0.34657, 0.34657).map((x, i) => x * 10 ** -(i % 7));
    expect(worst(apply(bench, LESS, xs), xs, Math.expm1)).toBeLessThan(2);
  });
});
