/** Rotary position embedding at every level, both styles, odd sizes. */
import { describe, expect, test } from 'vitest';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { emptyMatrix, errorOf, normals, putMatrix } from './matrices.cases.ts';
import { ROPE_KERNELS } from './rope.ts';

if (testLevels.length === 0) console.log(`skipped: rope, because ${noLevels}`);

const [rope] = ROPE_KERNELS;

/** Columns of a head, turned ones, heads, rows, threads. */
const SIZES = [
  [64, 64, 3, 5, 2],
  [96, 96, 32, 1, 2],
  [96, 48, 2, 4, 1],
  [10, 6, 1, 3, 1],
  [2, 2, 9, 2, 3],
  [80, 20, 17, 2, 3],
] as const;

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(SIZES.flatMap((size) => [[1, ...size] as const, [0, ...size] as const]))(
    'neox %d: heads of %d, %d turned, %d heads, %d rows, %d threads',
    (neox, size, turned, heads, rows, threads) => {
      const half = turned / 2;
      const cols = size * heads;
      const values = normals(rows * cols, 1);
      const angles = normals(rows * half, 2);
      const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)];
      const [x, cos, sin] = [
        putMatrix(bench, values, cols),
        putMatrix(bench, cosines, half),
        putMatrix(bench, sines, half),
      ];
      const wanted = values.slice();
      for (let r = 0; r < rows; r++) {
        for (let head = 0; head < heads; head++) {
          for (let i = 0; i < half; i++) {
            const start = r * cols + head * size;
            const [a, b] = neox ? [start + i, start + i + half] : [start + 2 * i, start + 2 * i + 1];
            const [c, s] = [cosines[r * half + i], sines[r * half + i]];
            wanted[a] = values[a] * c - values[b] * s;
            wanted[b] = values[a] * s + values[b] * c;
          }
        }
      }
      const out = emptyMatrix(bench, rows, cols);
      for (const target of [out, x]) {
        bench.run(
          rope,
          {
            x: x.address,
            xStride: x.stride,
            cos: cos.address,
            cosStride: cos.stride,
            sin: sin.address,
            sinStride: sin.stride,
            out: target.address,
            outStride: target.stride,
            rows,
            heads,
            size,
            half,
            neox,
          },
          { threads },
        );
        expect(errorOf(target.read(), wanted)).toBeLessThan(2e-7);
      }
    },
  );
});
