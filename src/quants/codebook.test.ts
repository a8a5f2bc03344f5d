/** Encoders of the codebook formats: kernel against plain, bounds, edges. Formats that share codebook-search.ts. */
import { describe, expect, test } from 'vitest';
import { importance, normal, sample, studentT, uniform } from '../../test/random.ts';
import { decode, type Effort, encode, FORMATS, quality, type TensorFormat } from './index.ts';

const COLS = 1024;

/** Highest relative squared error allowed on Gaussian rows; the encoders reach about 2 % less. */
const BOUNDS = {
  IQ2_XXS: 0.105,
  IQ2_XS: 0.08,
  IQ2_S: 0.057,
  IQ3_XXS: 0.031,
  IQ3_S: 0.017,
} as const;

function errorOf(
  format: TensorFormat,
  x: Float32Array,
  weights: Float32Array | null,
  effort: Effort,
  engine: 'kernel' | 'plain' = 'kernel',
  cols = COLS,
): number {
  const bytes = encode(format, x, cols, { importance: weights, effort, engine });
  return quality(x, decode(format, bytes, x.length), cols, weights).error;
}

function allFinite(values: Float32Array): boolean {
  return values.every((value) => Number.isFinite(value));
}

describe.each(Object.keys(BOUNDS) as (keyof typeof BOUNDS)[])('%s', (name) => {
  const format: TensorFormat = FORMATS[name];
  const gauss = sample(2 * COLS, normal(11), 0.02);
  const heavy = sample(2 * COLS, studentT(12), 0.02);
  const mild = importance(COLS, 13);
  const wide = importance(COLS, 14, 1, 0.004);

  test('keeps the error of Gaussian rows below its bound, at both efforts', () => {
    expect(errorOf(format, gauss, mild, 'fast')).toBeLessThan(BOUNDS[name]);
    expect(errorOf(format, gauss, mild, 'best')).toBeLessThan(BOUNDS[name]);
  });

  test('best is at least as good as fast, with and without importance', () => {
    for (const [x, w] of [
      [gauss, mild],
      [heavy, wide],
      [heavy, null],
    ] as const) {
      expect(errorOf(format, x, w, 'best')).toBeLessThanOrEqual(errorOf(format, x, w, 'fast'));
    }
  });

  test('the kernel is at most 3 % worse than the plain search, and at most 3 % better', () => {
    const row = heavy.subarray(0, COLS);
    for (const effort of ['fast', 'best'] as const) {
      const ratio = errorOf(format, row, wide, effort) / errorOf(format, row, wide, effort, 'plain');
      expect(ratio).toBeGreaterThan(0.97);
      expect(ratio).toBeLessThan(1.03);
    }
  });

  test('encodes rows independently of each other and of earlier calls', () => {
    const both = encode(format, heavy, COLS, { importance: wide });
    encode(format, gauss, COLS, { importance: mild, effort: 'best' });
    const second = encode(format, heavy.subarray(COLS), COLS, { importance: wide });
    expect(both.subarray(both.length / 2)).toEqual(second);
    expect(encode(format, heavy, COLS, { importance: wide })).toEqual(both);
  });

  test('weights keep their signs where parity does not force one of 8 to flip', () => {
    const y = decode(format, encode(format, gauss, COLS, { importance: mild, effort: 'best' }), gauss.length);
    let worst = 0;
    for (let at = 0; at < y.length; at += 8) {
      let flipped = 0;
      for (let i = at; i < at + 8; i++) if (y[i] * gauss[i] < 0) flipped++;
      worst = Math.max(worst, flipped);
    }
    expect(worst).toBe(name === 'IQ2_S' || name === 'IQ3_S' ? 0 : 1);
  });

  test('finds its way back to weights that were decoded from it', () => {
    const random = uniform(15);
    const bytes = Uint8Array.from({ length: 4 * format.blockBytes }, () => Math.floor(256 * random()));
    for (let b = 0; b < 4; b++) bytes.set([0x00, 0x2c], b * format.blockBytes); // d = 0.0625
    const x = decode(format, bytes, COLS);
    expect(errorOf(format, x, null, 'best')).toBeLessThan(0.012);
  });

  test.each([
    ['zeros', () => 0, 0],
    ['one constant', () => 0.37, 0.3],
    ['one negative constant', () => -0.37, 0.3],
    ['weights beyond f16', (i: number) => (i % 2 ? 1e30 : -1e30), 1],
    ['the largest f32', () => 3.4e38, 1],
    ['weights below f16', (i: number) => (i % 2 ? 1e-11 : -1e-11), 1],
    ['subnormal f32', () => 1e-40, 1],
    ['small weights', (i: number) => 1e-6 * Math.sin(i), 0.2],
    // 31 neighbours share the scale and cannot be zero: 1 - 43^2 / (43^2 + 31 * 8^2) = 0.52 is lost at 2 bits.
    ['a single outlier', (i: number) => (i === 300 ? 1000 : 0.01 * Math.sin(i)), 0.53],
    ['NaN and infinity', (i: number) => [Number.NaN, Number.POSITIVE_INFINITY, 0.1][i % 3], undefined],
  ] as const)('survives %s', (_, weight, bound) => {
    const x = Float32Array.from({ length: COLS }, (_, i) => weight(i));
    for (const engine of ['kernel', 'plain'] as const) {
      const y = decode(format, encode(format, x, COLS, { engine }), COLS);
      expect(allFinite(y)).toBe(true);
      if (bound !== undefined) expect(quality(x, y, COLS, null).error).toBeLessThanOrEqual(bound);
    }
  });

  test.each([
    ['all zero', () => 0],
    ['NaN', () => Number.NaN],
    ['infinite in places', (i: number) => (i % 7 ? 1 : Number.POSITIVE_INFINITY)],
    ['negative', () => -1],
  ] as const)('takes importance that is %s for equal importance', (_, value) => {
    const odd = Float32Array.from({ length: COLS }, (_, i) => value(i));
    for (const engine of ['kernel', 'plain'] as const) {
      const x = gauss.subarray(0, COLS);
      expect(encode(format, x, COLS, { importance: odd, engine })).toEqual(
        encode(format, x, COLS, { engine }),
      );
    }
  });

  test('columns of zero importance still get sensible values', () => {
    const half = Float32Array.from({ length: COLS }, (_, i) => (i % 64 < 32 ? 0 : 1));
    const y = decode(format, encode(format, gauss, COLS, { importance: half }), gauss.length);
    expect(quality(gauss, y, COLS, null).error).toBeLessThan(0.3);
  });
});
