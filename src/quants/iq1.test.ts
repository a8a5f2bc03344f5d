/** Encoders of IQ1_S and IQ1_M: the kernel against the plain search, error bounds, hostile and edge rows. */
import { expect, test } from 'vitest';
import { importance, normal, sample, studentT, uniform } from '../../test/random.ts';
import { decode, type Effort, encode, FORMATS, quality } from './index.ts';

const COLS = 512;

const ROWS: readonly { name: string; x: Float32Array; v: Float32Array | null }[] = [
  { name: 'Gaussian', x: sample(2 * COLS, normal(11), 0.02), v: importance(COLS, 12) },
  { name: 'heavy-tailed', x: sample(2 * COLS, studentT(13), 0.02), v: importance(COLS, 14, 1, 0.01) },
  { name: 'unweighted', x: sample(2 * COLS, normal(15), 3), v: null },
];

interface Case {
  readonly name: 'IQ1_S' | 'IQ1_M';
  /** Most relative error of the rows above. */
  readonly bound: number;
}

const CASES: readonly Case[] = [
  { name: 'IQ1_S', bound: 0.19 },
  { name: 'IQ1_M', bound: 0.165 },
];

for (const { name, bound } of CASES) {
  const format = FORMATS[name];

  const roundTrip = (x: Float32Array, v: Float32Array | null, effort: Effort, engine?: 'plain') => {
    const bytes = encode(format, x, COLS, { importance: v, effort, ...(engine ? { engine } : {}) });
    const y = decode(format, bytes, x.length);
    return { bytes, y, ...quality(x, y, COLS, v) };
  };

  for (const { name: rows, x, v } of ROWS) {
    test(`${name} of ${rows} rows leaves at most ${bound} of the weighted squares as error`, () => {
      const fast = roundTrip(x, v, 'fast');
      expect(fast.error).toBeLessThan(bound);
      expect(fast.gain).toBeCloseTo(1 - fast.error, 2); // least squares
      expect(roundTrip(x, v, 'best').error).toBeLessThanOrEqual(fast.error);
    });

    test(`${name}'s kernel errs on ${rows} rows at most 3 % more than the plain search`, () => {
      const row = x.subarray(0, COLS);
      const plain = roundTrip(row, v, 'fast', 'plain');
      expect(roundTrip(row, v, 'fast').error).toBeLessThanOrEqual(1.03 * plain.error);
    });
  }

  test(`${name}'s kernel errs in its best search at most 3 % more than the plain one`, () => {
    const { x, v } = ROWS[1];
    const row = x.subarray(0, COLS);
    const plain = roundTrip(row, v, 'best', 'plain');
    expect(roundTrip(row, v, 'best').error).toBeLessThanOrEqual(1.03 * plain.error);
  });

  test(`${name} makes the same bytes again, and rows do not depend on their neighbours`, () => {
    const { x, v } = ROWS[0];
    const both = roundTrip(x, v, 'fast').bytes;
    expect(roundTrip(x, v, 'fast').bytes).toEqual(both);
    expect(both.subarray(both.length / 2)).toEqual(roundTrip(x.subarray(COLS), v, 'fast').bytes);
  });

  test(`${name} finds rows again that were decoded from random blocks`, () => {
    const random = uniform(31);
    const bytes = Uint8Array.from({ length: (COLS / 256) * format.blockBytes }, () =>
      Math.floor(256 * random()),
    );
    for (let at = 0; at < bytes.length; at += format.blockBytes) {
      // d = 0x2c66, 0.0687: its own field in IQ1_S, the top nibbles of the last four u16 in IQ1_M
      const fields = name === 'IQ1_S' ? [0, 1] : [49, 51, 53, 55];
      const values = name === 'IQ1_S' ? [0x66, 0x2c] : [0x60, 0x60, 0xc0, 0x20];
      fields.forEach((field, k) => {
        const low = name === 'IQ1_S' ? 0 : bytes[at + field] & 15;
        bytes[at + field] = values[k] | low;
      });
    }
    const x = decode(format, bytes, COLS);
    expect(roundTrip(x, null, 'best').error).toBeLessThan(name === 'IQ1_S' ? 0.01 : 0.03);
  });

  test(`${name} keeps every edge row finite, with an error at most that of writing zeros`, () => {
    const gauss = sample(COLS, normal(21), 1);
    const scaled = (factor: number) => gauss.map((value) => value * factor);
    const outlier = new Float32Array(COLS);
    outlier[300] = -7;
    const spoilt = gauss.slice();
    spoilt[5] = Number.NaN;
    spoilt[400] = Number.POSITIVE_INFINITY;
    const edges: Record<string, { x: Float32Array; most: number }> = {
      zeros: { x: new Float32Array(COLS), most: 0 },
      constant: { x: new Float32Array(COLS).fill(0.3), most: 0.01 },
      negative: { x: new Float32Array(COLS).fill(-0.3), most: 0.01 },
      // No code is 0: the 31 or 15 zeros beside the outlier decode to +-1/8 of its scale.
      outlier: { x: outlier, most: 0.3 },
      large: { x: scaled(1e4), most: 0.2 },
      beyond: { x: scaled(1e30), most: 1 },
      small: { x: scaled(1e-5), most: 0.2 },
      subnormal: { x: scaled(1e-7), most: 0.6 },
      vanishing: { x: scaled(1e-38), most: 1 },
      spoilt: { x: spoilt, most: Number.NaN },
    };
    for (const [edge, { x, most }] of Object.entries(edges)) {
      for (const effort of ['fast', 'best'] as const) {
        for (const engine of effort === 'fast' ? [undefined, 'plain' as const] : [undefined]) {
          const { y, error } = roundTrip(x, null, effort, engine);
          const where = `${edge}, ${effort}, ${engine ?? 'kernel'}`;
          expect(y.every(Number.isFinite), where).toBe(true);
          if (!Number.isNaN(most)) expect(error, where).toBeLessThanOrEqual(most);
        }
      }
    }
  });

  test(`${name} takes degenerate importance of a block for equal importance`, () => {
    const x = sample(COLS, normal(22), 0.5);
    const equal = roundTrip(x, null, 'fast').bytes;
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const v = new Float32Array(COLS).fill(1);
      v.fill(value === 0 ? 0 : 1, 0, 256);
      v[100] = value;
      const { bytes } = roundTrip(x, v, 'fast');
      expect(bytes, `${value}`).toEqual(equal);
    }
  });

  test(`${name} gives weights of no importance the codes that the others leave them`, () => {
    const x = sample(COLS, normal(23), 0.5);
    const v = new Float32Array(COLS).fill(1);
    v.fill(0, 64, 128);
    const { y } = roundTrip(x, v, 'fast');
    expect(quality(x.subarray(64, 128), y.subarray(64, 128), 64, null).error).toBeLessThan(0.3);
  });
}
