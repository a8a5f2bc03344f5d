/** Activations as bytes: scales, codes and sums at every level, against the same steps in plain TypeScript. */
import { describe, expect, test } from 'vitest';
import { normal, sample } from '../../../../test/random.ts';
import { activationLayout } from '../activations.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { quantizeBytes } from './quantize-bytes.ts';

if (testLevels.length === 0) console.log(`skipped: activations as bytes, because ${noLevels}`);

interface Planes {
  /** Of each plane: `[tokens, cols]`, `[tokens, cols / 16]`, `[tokens, cols / group]`. */
  readonly codes: readonly (readonly number[])[];
  readonly sums: readonly (readonly number[])[];
  readonly scales: readonly (readonly number[])[];
}

/** What the kernel writes for x `[tokens, cols]`. */
function run(
  bench: KernelBench,
  x: Float32Array,
  cols: number,
  group: 256 | 32,
  planes: 1 | 2,
  threads: number,
): Planes {
  const rows = x.length / cols;
  const layout = activationLayout(rows, cols, group, planes);
  const out = bench.alloc(layout.bytes);
  const { codeStride, sumStride, scaleStride } = layout;
  const places = { codes: out + layout.codes, sums: out + layout.sums, scales: out + layout.scales };
  const strides = { xStride: 4 * cols, codeStride, sumStride, scaleStride };
  bench.run(
    quantizeBytes,
    { x: bench.put(x), rows, cols, group, planes, ...places, ...strides },
    { threads },
  );
  const each = <T>(read: (row: number) => ArrayLike<T>): T[][] =>
    Array.from({ length: planes }, (_, plane) =>
      Array.from({ length: rows }, (_, t) => Array.from(read(plane * rows + t))).flat(),
    );
  return {
    codes: each((row) => new Int8Array(bench.u8(places.codes + row * codeStride, cols))),
    sums: each((row) => bench.i16(places.sums + row * sumStride, cols / 16)),
    scales: each((row) => bench.f32(places.scales + row * scaleStride, cols / group)),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each([
    { rows: 3, cols: 768, group: 256, planes: 1, threads: 1 },
    { rows: 2, cols: 2304, group: 256, planes: 2, threads: 3 },
    { rows: 3, cols: 576, group: 32, planes: 1, threads: 2 },
    { rows: 1, cols: 32, group: 32, planes: 2, threads: 5 },
    { rows: 5, cols: 1056, group: 32, planes: 2, threads: 2 },
  ] as const)(
    'codes times scales are $rows rows of $cols values within half a step: group $group, planes $planes',
    ({ rows, cols, group, planes, threads }) => {
      const x = sample(rows * cols, normal(3), 2);
      const { codes, sums, scales } = run(bench, x, cols, group, planes, threads);
      const wrong = Array.from(x).flatMap((value, i) => {
        const at = Math.floor(i / group);
        const made = sum(codes.map((plane, p) => plane[i] * scales[p][at]));
        // Half a step, and the rounding of the scale and of the value's quotient.
        return Math.abs(made - value) <= 0.501 * scales[planes - 1][at]
          ? []
          : [`${i}: ${made}, not ${value}`];
      });
      expect(wrong).toEqual([]);
      expect(sums).toEqual(
        codes.map((plane) =>
          Array.from({ length: plane.length / 16 }, (_, i) => sum(plane.slice(16 * i, 16 * i + 16))),
        ),
      );
      const largest = planes === 1 ? 127 : 16319;
      scales[planes - 1].forEach((scale, g) => {
        const most = Math.max(...x.subarray(g * group, (g + 1) * group).map(Math.abs));
        expect(scale).toBe(Math.fround(most / largest));
      });
      if (planes === 2) {
        expect(scales[0]).toEqual(scales[1].map((scale) => 128 * scale));
        expect(Math.max(...codes[1])).toBeLessThanOrEqual(63);
        expect(Math.min(...codes[1])).toBeGreaterThanOrEqual(-64);
      }
    },
  );

  test('halves are rounded to even, in groups of their own scale', () => {
    // Largest 127, so the scale is 1 and codes are the rounded values.
    const x = Float32Array.from(
      { length: 32 },
      (_, i) => [127, 0.5, 1.5, -0.5, -2.5, 2.49, -126.6, 0][i % 8],
    );
    const { codes, scales } = run(bench, x, 32, 32, 1, 1);
    expect(scales).toEqual([[1]]);
    expect(codes[0].slice(0, 8)).toEqual([127, 0, 2, 0, -2, 2, -127, 0]);
  });

  test('groups of zeros and of tiny values have the scale 0, groups with NaN or infinity the scale NaN', () => {
    for (const planes of [1, 2] as const) {
      const x = new Float32Array(6 * 32).fill(1);
      x.fill(0, 0, 32);
      x.fill(1e-33, 32, 64);
      x[64 + 5] = Number.NaN;
      x[96 + 31] = Number.POSITIVE_INFINITY;
      x[128] = Number.NEGATIVE_INFINITY;
      const { codes, scales } = run(bench, x, x.length, 32, planes, 1);
      for (const plane of scales) {
        expect(plane.slice(0, 5)).toEqual([0, 0, Number.NaN, Number.NaN, Number.NaN]);
        expect(plane[5]).toBeGreaterThan(0);
      }
      expect(codes[0].slice(0, 64)).toEqual(new Array(64).fill(0));
    }
  });
});
