/** Norms and element-wise kernels at every level: odd sizes, gaps between rows, several threads. */
import { describe, expect, test } from 'vitest';
import type { KernelSource } from '../kernel.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { ELEMENTWISE_KERNELS } from './elementwise.ts';
import { emptyMatrix, errorOf, normals, putMatrix } from './matrices.cases.ts';
import { rmsNorm } from './norm.ts';

if (testLevels.length === 0) console.log(`skipped: element-wise kernels, because ${noLevels}`);

const [add, swiglu, rows] = ELEMENTWISE_KERNELS;

/** Rows, columns and threads: less than a vector, odd, whole vectors, more than a piece, several rows. */
const SIZES = [
  [1, 1, 1],
  [3, 7, 1],
  [2, 10, 2],
  [3, 45, 3],
  [1, 64, 1],
  [1, 2600, 2],
  [5, 1100, 3],
] as const;

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(SIZES)('rms_norm: %d rows of %d, %d threads', (count, cols, threads) => {
    const values = normals(count * cols, cols);
    const weight = normals(cols, 1);
    const [x, out] = [putMatrix(bench, values, cols), emptyMatrix(bench, count, cols)];
    const epsilon = 1e-5;
    bench.run(
      rmsNorm,
      {
        x: x.address,
        xStride: x.stride,
        weight: bench.put(weight),
        out: out.address,
        outStride: out.stride,
        rows: count,
        cols,
        epsilon,
      },
      { threads },
    );
    const wanted = values.map((value, i) => {
      const row = values.subarray(Math.floor(i / cols) * cols).subarray(0, cols);
      const mean = row.reduce((sum, one) => sum + one * one, 0) / cols;
      return (value / Math.sqrt(mean + epsilon)) * weight[i % cols];
    });
    expect(errorOf(out.read(), wanted)).toBeLessThan(4e-7);
  });

  /** Runs a kernel of two matrices. */
  function combine(
    kernel: KernelSource,
    [a, b]: readonly [string, string],
    [left, right]: readonly [Float32Array, Float32Array],
    [count, cols, threads]: readonly [number, number, number],
  ): Float32Array {
    const [first, second] = [putMatrix(bench, left, cols), putMatrix(bench, right, cols, 0)];
    const out = emptyMatrix(bench, count, cols);
    const bias = right.length === cols;
    const args = {
      [a]: first.address,
      [`${a}Stride`]: first.stride,
      [b]: second.address,
      [`${b}Stride`]: bias ? 0 : second.stride,
      out: out.address,
      outStride: out.stride,
      rows: count,
      cols,
    };
    bench.run(kernel, args, { threads });
    return out.read();
  }

  test.each(SIZES)('add: %d rows of %d, %d threads', (...size) => {
    const [count, cols] = size;
    const [a, b] = [normals(count * cols, 1), normals(count * cols, 2)];
    expect(combine(add, ['a', 'b'], [a, b], size)).toEqual(a.map((value, i) => value + b[i]));
    const bias = b.subarray(0, cols);
    expect(combine(add, ['a', 'b'], [a, bias], size)).toEqual(a.map((value, i) => value + bias[i % cols]));
  });

  test.each(SIZES)('swiglu: %d rows of %d, %d threads', (...size) => {
    const [count, cols] = size;
    const [gate, up] = [normals(count * cols, 3, 4), normals(count * cols, 4)];
    const wanted = gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]);
    const found = combine(swiglu, ['gate', 'up'], [gate, up], size);
    found.forEach((value, i) => {
      expect(Math.abs(value - wanted[i])).toBeLessThanOrEqual(3e-7 * Math.abs(wanted[i]));
    });
  });

  test('swiglu: gates far from 0, infinite and no number', () => {
    const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
    const gates = Float32Array.of(-300, -80, 300, inf, nan);
    const found = combine(swiglu, ['gate', 'up'], [gates, gates.map(() => 2)], [1, 5, 1]);
    const tiny = (-80 / (1 + Math.exp(80))) * 2;
    expect([...found].map((value) => (value === 0 ? 0 : value))).toEqual([
      0,
      expect.any(Number),
      600,
      inf,
      nan,
    ]);
    expect(Math.abs(found[1] - tiny)).toBeLessThan(1e-5 * Math.abs(tiny));
  });

  test('rows: chosen twice, last first; one that does not exist is reported and left out', () => {
    const [cols, limit] = [45, 6];
    const values = normals(limit * cols, 5);
    const [x, out] = [putMatrix(bench, values, cols), emptyMatrix(bench, 5, cols)];
    const select = bench.put(Int32Array.of(5, 0, limit, 5, -1));
    const args = {
      x: x.address,
      xStride: x.stride,
      select,
      selectStride: 4,
      out: out.address,
      outStride: out.stride,
      count: 5,
      bytes: 4 * cols,
      limit,
    };
    expect(bench.run(rows, args, { threads: 2 })).toBe(1);
    expect(bench.run(rows, { ...args, count: 2 })).toBe(0);
    const found = out.read();
    const row = (i: number): number[] => [...found.subarray(i * cols, (i + 1) * cols)];
    [5, 0, undefined, 5, undefined].forEach((wanted, i) => {
      const from =
        wanted === undefined ? undefined : [...values.subarray(wanted * cols, (wanted + 1) * cols)];
      expect(row(i)).toEqual(from ?? row(2));
    });
    expect(new Set(row(2)).size).toBe(1);
  });
});
