/** Sums of squares at every level, to the last bit. */
import { describe, expect, test } from 'vitest';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { normals, putMatrix } from './matrices.cases.ts';
import { SQUARE_SUM_KERNELS } from './square-sum.ts';

if (testLevels.length === 0) console.log(`skipped: square_sum, because ${noLevels}`);

const [squareSum] = SQUARE_SUM_KERNELS;

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each([
    [1, 1, 1],
    [5, 7, 1],
    [3, 45, 2],
    [67, 64, 2],
    [9, 600, 3],
  ])('%d rows of %d added to what is there, %d threads', (rows, cols, threads) => {
    const values = normals(rows * cols, cols);
    const x = putMatrix(bench, values, cols);
    const before = Float64Array.from({ length: cols + 1 }, (_, i) => i / 3);
    const sums = bench.put(before);
    bench.run(squareSum, { x: x.address, xStride: x.stride, sums, rows, cols }, { threads });
    const wanted = before.slice();
    // A square of an f32 is exact in f64, so it does not matter that the kernel rounds once.
    values.forEach((value, i) => {
      wanted[i % cols] += value * value;
    });
    expect(bench.f64(sums, cols + 1)).toEqual(wanted);
  });
});
