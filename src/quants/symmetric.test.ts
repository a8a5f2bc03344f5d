/** Encoders of the symmetric and tabulated formats: plain and kernel, both efforts, ordinary and edge rows. */
import { describe, expect, test } from 'vitest';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, type EncodeOptions, encode, FORMATS, type FormatName, quality } from './index.ts';

/** Highest error of `fast` on Gaussian rows, sum (x - y)^2 / sum x^2, measured and rounded up by some 5 %. */
const WORST = {
  Q3_K: 0.0215,
  Q6_K: 0.0003,
  IQ4_XS: 0.0056,
  IQ4_NL: 0.0055,
  Q4_0: 0.0066,
  Q5_0: 0.0016,
  Q8_0: 0.000026,
  TQ1_0: 0.2,
  TQ2_0: 0.2,
  MXFP4: 0.0132,
  NVFP4: 0.0094,
  Q1_0: 0.38,
  Q2_0: 0.125,
} as const satisfies Partial<Record<FormatName, number>>;

/** Formats that cannot hold a constant row, or a lone outlier among zeros, to the usual bound: theirs. */
const CONSTANT: Partial<Record<FormatName, number>> = { MXFP4: 0.01, NVFP4: 0.002 };
const OUTLIER: Partial<Record<FormatName, number>> = {
  MXFP4: 0.03,
  NVFP4: 0.002,
  Q1_0: 1,
  IQ4_XS: 0.0025,
  IQ4_NL: 0.0025,
};

const NAMES = Object.keys(WORST) as (keyof typeof WORST)[];

/** Relative weighted error of an encoding, decoded. */
function errorOf(name: FormatName, x: Float32Array, cols: number, options: EncodeOptions = {}): number {
  const format = FORMATS[name];
  const y = decode(format, encode(format, x, cols, options), x.length);
  expect(y.every(Number.isFinite), 'all decoded weights are finite').toBe(true);
  return quality(x, y, cols, options.importance ?? null).error;
}

/** 3 rows, of 3 blocks of 256 weights, and an importance with outliers. */
const COLS = 768;
const gaussian = sample(3 * COLS, normal(1), 0.02);
const heavy = sample(3 * COLS, studentT(2), 0.02);
const v = importance(COLS, 3, 1, 0.004);

describe.each(NAMES)('%s', (name) => {
  const format = FORMATS[name];

  test('keeps Gaussian rows within the error of the table', () => {
    expect(errorOf(name, gaussian, COLS)).toBeLessThan(WORST[name]);
    expect(errorOf(name, gaussian, COLS, { effort: 'best' })).toBeLessThan(WORST[name]);
  });

  test('the kernel errs at most 2 % more than the plain encoder', () => {
    for (const x of [gaussian, heavy]) {
      for (const effort of ['fast', 'best'] as const) {
        for (const weights of [v, null]) {
          const plain = errorOf(name, x, COLS, { importance: weights, effort, engine: 'plain' });
          expect(errorOf(name, x, COLS, { importance: weights, effort })).toBeLessThanOrEqual(plain * 1.02);
        }
      }
    }
  });

  test('best errs at most as much as fast', () => {
    for (const x of [gaussian, heavy]) {
      const fast = errorOf(name, x, COLS, { importance: v });
      expect(errorOf(name, x, COLS, { importance: v, effort: 'best' })).toBeLessThanOrEqual(fast);
    }
  });

  test('gives the same bytes every time, and row by row', () => {
    const whole = encode(format, heavy, COLS, { importance: v });
    expect(encode(format, heavy, COLS, { importance: v })).toEqual(whole);
    const middle = encode(format, heavy.subarray(COLS, 2 * COLS), COLS, { importance: v });
    expect(whole.subarray(middle.length, 2 * middle.length)).toEqual(middle);
  });

  test('encodes one block, and an odd number of blocks', () => {
    for (const cols of [format.blockSize, 5 * format.blockSize]) {
      const x = sample(cols, normal(4));
      expect(encode(format, x, cols).length).toBe((cols / format.blockSize) * format.blockBytes);
      expect(errorOf(name, x, cols)).toBeLessThan(2 * WORST[name] + 0.01);
    }
  });

  test('recovers rows that it can represent to a hundredth of its usual error', () => {
    const decoded = decode(format, encode(format, gaussian, COLS), gaussian.length);
    expect(errorOf(name, decoded, COLS, { effort: 'best' })).toBeLessThan(WORST[name] / 100);
  });

  describe.each(['plain', 'kernel'] as const)('%s encoder', (engine) => {
    test('keeps a row of zeros, and of less than any scale, at zero', () => {
      for (const value of name === 'MXFP4' ? [0, 1e-40] : [0, 1e-15, 1e-40]) {
        const x = new Float32Array(COLS).fill(value);
        expect(decode(format, encode(format, x, COLS, { engine }), COLS).every((y) => y === 0)).toBe(true);
      }
    });

    test('keeps a constant row', () => {
      for (const value of [1, -1, 0.003]) {
        const x = new Float32Array(COLS).fill(value);
        expect(errorOf(name, x, COLS, { engine })).toBeLessThan(CONSTANT[name] ?? 1e-4);
      }
    });

    test('keeps a lone outlier among zeros', () => {
      const x = new Float32Array(COLS);
      x[300] = -7;
      expect(errorOf(name, x, COLS, { engine })).toBeLessThan(OUTLIER[name] ?? 1e-5);
    });

    test('clamps huge rows to finite weights of the right sign', () => {
      for (const size of [1e30, 3e38, Number.POSITIVE_INFINITY]) {
        const x = Float32Array.from(gaussian, (value) => Math.sign(value) * size);
        const y = decode(format, encode(format, x, COLS, { engine }), x.length);
        expect(y.every((value, i) => Number.isFinite(value) && value * x[i] > 0)).toBe(true);
      }
    });

    test('takes NaN for zero', () => {
      const x = gaussian.slice(0, COLS);
      x[5] = Number.NaN;
      const y = decode(format, encode(format, x, COLS, { engine }), COLS);
      x[5] = 0;
      expect(quality(x, y, COLS, null).error).toBeLessThan(2 * WORST[name]);
    });

    test('keeps rows of one block, all of it zero or NaN', () => {
      for (const value of [0, Number.NaN]) {
        const x = new Float32Array(format.blockSize).fill(value);
        const y = decode(format, encode(format, x, format.blockSize, { engine }), x.length);
        expect(y.every((weight) => weight === 0)).toBe(true);
      }
    });

    test('keeps tiny rows, whose scale is the least half float, at no more than their own size', () => {
      const x = sample(COLS, normal(5), 1e-8);
      expect(errorOf(name, x, COLS, { engine })).toBeLessThanOrEqual(1);
    });

    test('takes an importance that says nothing for equal importance', () => {
      const equal = encode(format, gaussian, COLS, { engine });
      for (const value of [0, Number.NaN, Number.POSITIVE_INFINITY, -1]) {
        const nothing = new Float32Array(COLS).fill(value);
        expect(encode(format, gaussian, COLS, { engine, importance: nothing })).toEqual(equal);
      }
    });

    test('keeps weights of no importance sensible', () => {
      const some = Float32Array.from(v, (value, i) => (i % 3 === 0 ? 0 : value));
      const y = decode(format, encode(format, gaussian, COLS, { engine, importance: some }), gaussian.length);
      expect(quality(gaussian, y, COLS, null).error).toBeLessThan(10 * WORST[name]);
    });
  });
});

test('Q8_K puts the weight of largest magnitude at -127, sums its codes by 16, and bears zeros, huge and NaN', () => {
  const x = new Float32Array(256);
  x[3] = -2;
  x[20] = 1;
  const bytes = encode(FORMATS.Q8_K, x, 256);
  const view = new DataView(bytes.buffer);
  expect([bytes[4 + 3], bytes[4 + 20]]).toEqual([129, 64]); // -127 as a byte, and 63.5 to even
  expect([view.getInt16(260, true), view.getInt16(262, true)]).toEqual([-127, 64]);
  for (const value of [0, 1e38, Number.POSITIVE_INFINITY, Number.NaN, 1e-45]) {
    const y = decode(FORMATS.Q8_K, encode(FORMATS.Q8_K, x.fill(value), 256), 256);
    expect(y.every((weight) => !Number.isNaN(weight))).toBe(true);
  }
});
