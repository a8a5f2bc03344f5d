/** The encoders of the scale-and-min formats: Q4_K, Q5_K, Q2_K, Q4_1, Q5_1; kernels beside the plain ones. */
import { describe, expect, it } from 'vitest';
import { importance, normal, sample, studentT, uniform } from '../../test/random.ts';
import { decode, type EncodeOptions, encode } from './codec.ts';
import type { Effort, TensorFormat } from './format.ts';
import { Q2_K } from './formats/q2_k.ts';
import { Q4_1 } from './formats/q4_1.ts';
import { Q4_K } from './formats/q4_k.ts';
import { Q5_1 } from './formats/q5_1.ts';
import { Q5_K } from './formats/q5_k.ts';
import { quality } from './quality.ts';

const FORMATS = [Q4_K, Q5_K, Q2_K, Q4_1, Q5_1];
const COLS = 512;

/** Largest relative weighted error allowed: Gaussian rows, mild importance, `fast`. */
const LIMITS: Readonly<Record<string, number>> = {
  Q4_K: 0.0053,
  Q5_K: 0.00125,
  Q2_K: 0.071,
  Q4_1: 0.0053,
  Q5_1: 0.00125,
};

function errorOf(format: TensorFormat, x: Float32Array, options: EncodeOptions): number {
  const y = decode(format, encode(format, x, COLS, options), x.length);
  expect(y.every(Number.isFinite), 'all decoded weights are finite').toBe(true);
  return quality(x, y, COLS, options.importance ?? null).error;
}

const gauss = sample(3 * COLS, normal(11), 0.02);
const heavy = sample(3 * COLS, studentT(12), 0.02);
const mild = importance(COLS, 13);
const wide = importance(COLS, 14, 1, 0.004);
/** As of the few channels with massive activations that trained models have. */
const overwhelming = mild.map((v, i) => (i % 200 === 77 ? 1e5 * v : v));

function constant(value: number): Float32Array {
  return new Float32Array(COLS).fill(value);
}

function outlier(value: number): Float32Array {
  const row = sample(COLS, normal(15), 0.01);
  row[100] = value;
  return row;
}

function signed(sign: number): Float32Array {
  return sample(COLS, normal(16)).map((v) => sign * (5 + 0.5 * v));
}

/** Rows that are hard on an encoder, with the largest relative error allowed in every format. */
const EDGES: readonly (readonly [string, Float32Array, number])[] = [
  ['all zero', constant(0), 0],
  ['constant positive', constant(0.37), 1e-4],
  ['constant negative', constant(-0.37), 1e-4],
  ['all positive', signed(1), 0.02],
  ['all negative', signed(-1), 0.02],
  ['one positive outlier', outlier(30), 0.002],
  ['one negative outlier', outlier(-30), 0.002],
  ['one weight not zero', constant(0).fill(0.5, 7, 8), 1e-4],
  ['tiny, under the smallest f16', sample(COLS, normal(17), 1e-20), 1],
  ['small, near the smallest f16', sample(COLS, normal(17), 1e-6), 0.9],
  ['huge: clamped', sample(COLS, normal(18), 1e30), 1],
  ['above the f16 range, in reach of the codes', sample(COLS, normal(18), 30000), 0.09],
];

const UNUSABLE: readonly (readonly [string, number])[] = [
  ['all zero', 0],
  ['NaN', Number.NaN],
  ['infinite', Number.POSITIVE_INFINITY],
  ['negative', -1],
];

for (const format of FORMATS) {
  const best: EncodeOptions = { effort: 'best', importance: wide };
  const fast: EncodeOptions = { effort: 'fast', importance: wide };

  describe(`${format.name} encoder`, () => {
    it(`stays under a relative error of ${LIMITS[format.name]} on Gaussian rows`, () => {
      for (const engine of ['kernel', 'plain'] as const) {
        expect(errorOf(format, gauss, { importance: mild, engine })).toBeLessThan(LIMITS[format.name]);
      }
    });

    for (const effort of ['fast', 'best'] satisfies Effort[]) {
      it(`the kernel is as good as the plain encoder within 2 %, ${effort}`, () => {
        for (const weights of [wide, overwhelming, null]) {
          const options = { effort, importance: weights };
          const x = heavy.subarray(0, COLS);
          const plain = errorOf(format, x, { ...options, engine: 'plain' });
          expect(errorOf(format, x, options)).toBeLessThan(1.02 * plain);
        }
      });
    }

    it('best is at least as good as fast', () => {
      for (const x of [gauss, heavy]) {
        expect(errorOf(format, x, best)).toBeLessThanOrEqual(errorOf(format, x, fast));
        const equal = errorOf(format, x, { effort: 'best' });
        expect(equal).toBeLessThanOrEqual(errorOf(format, x, { effort: 'fast' }));
      }
    });

    it('gives the same bytes again, and for each row what the row alone gives', () => {
      const all = encode(format, heavy, COLS, fast);
      expect(encode(format, heavy, COLS, fast)).toEqual(all);
      const rowBytes = all.length / 3;
      for (let row = 0; row < 3; row++) {
        const alone = encode(format, heavy.subarray(row * COLS, (row + 1) * COLS), COLS, fast);
        expect(alone).toEqual(all.subarray(row * rowBytes, (row + 1) * rowBytes));
      }
    });

    it.each(EDGES)('survives a row that is %s', (_name, x, limit) => {
      for (const engine of ['kernel', 'plain'] as const) {
        for (const effort of ['fast', 'best'] satisfies Effort[]) {
          expect(errorOf(format, x, { engine, effort, importance: mild })).toBeLessThanOrEqual(limit);
          expect(errorOf(format, x, { engine, effort })).toBeLessThanOrEqual(limit);
        }
      }
    });

    it.each(UNUSABLE)('takes importance that is %s as equal importance', (_name, value) => {
      const x = gauss.subarray(0, COLS);
      for (const engine of ['kernel', 'plain'] as const) {
        const equal = encode(format, x, COLS, { engine, importance: constant(1) });
        expect(encode(format, x, COLS, { engine, importance: constant(value) })).toEqual(equal);
      }
    });

    it('never stores a scale that is infinite or not a number, whatever the weights', () => {
      const x = gauss.slice(0, COLS);
      x.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], 3);
      x.fill(Number.NaN, 256);
      for (const engine of ['kernel', 'plain'] as const) {
        const y = decode(format, encode(format, x, COLS, { engine }), COLS);
        expect(y.every(Number.isFinite)).toBe(true);
      }
    });

    it('finds weights that a block of the format holds exactly', () => {
      const random = uniform(21);
      const bytes = Uint8Array.from({ length: 64 * format.blockBytes }, () => Math.floor(256 * random()));
      const view = new DataView(bytes.buffer);
      const factors = format === Q2_K ? [80, 82] : [0, 2];
      for (let at = 0; at < bytes.length; at += format.blockBytes) {
        for (const factor of factors) view.setUint16(at + factor, 0x2000 + Math.floor(512 * random()), true);
      }
      const x = decode(format, bytes, 64 * format.blockSize);
      expect(errorOf(format, x, { effort: 'best' })).toBeLessThan(EXACT[format.name]);
    });
  });
}

/** Relative error left on decoded random blocks: near zero where the grid is found, small elsewhere. */
const EXACT: Readonly<Record<string, number>> = {
  Q4_K: 3e-5,
  Q5_K: 5e-5,
  Q2_K: 5e-4,
  Q4_1: 1e-9,
  Q5_1: 5e-5,
};
