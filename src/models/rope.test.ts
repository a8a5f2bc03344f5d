/** Rotation angles against numbers worked out by hand. */
import { expect, test } from 'vitest';
import { plainFrequencies, ropeTable, yarnFrequencies } from './rope.ts';

test('pair i of 4 turns by 10000^(-i/4) a position', () => {
  expect([...plainFrequencies(8, 10000)].map((f) => Number(f.toFixed(12)))).toEqual([1, 0.1, 0.01, 0.001]);
});

test('angles are cosine and sine of position times frequency, position by position', () => {
  const { cos, sin } = ropeTable({ values: Float64Array.of(1, 0.25), magnitude: 1 }).angles(6, 2);
  expect([...cos]).toEqual([6, 1.5, 7, 1.75].map((angle) => Math.fround(Math.cos(angle))));
  expect([...sin]).toEqual([6, 1.5, 7, 1.75].map((angle) => Math.fround(Math.sin(angle))));
});

test('at position 100000 the angle is still right to the last bit of f32', () => {
  const values = plainFrequencies(96, 10000);
  const { cos } = ropeTable({ values, magnitude: 1 }).angles(100000, 1);
  // The cosine of 82540.4185268018425…, by 50-digit arithmetic.
  expect(cos[1]).toBe(Math.fround(-0.214380255833282));
});

test('the magnitude multiplies both', () => {
  const { cos, sin } = ropeTable({ values: Float64Array.of(0.5), magnitude: 1.25 }).angles(3, 1);
  expect([cos[0], sin[0]]).toEqual([1.25 * Math.cos(1.5), 1.25 * Math.sin(1.5)].map(Math.fround));
});

const YARN = {
  base: 10000,
  factor: 4,
  originalContext: 64,
  betaFast: 32,
  betaSlow: 1,
  extrapolation: 1,
  magnitude: 0,
};

test('yarn: the fastest pair keeps its frequency, the slowest turn 4 times slower, those between are blended', () => {
  const plain = plainFrequencies(16, 10000);
  const { values, magnitude } = yarnFrequencies(plain, YARN);
  // A pair turns 32 times in 64 positions at index 16 ln(64 / (64 pi)) / (2 ln 10000) < 0, once at index 2.02: 0 and 3.
  const slow = [0, 1 / 3, 2 / 3, 1, 1, 1, 1, 1];
  const wanted = slow.map((share, i) => plain[i] * (1 - share + share / 4));
  wanted.forEach((frequency, i) => {
    expect(values[i]).toBeCloseTo(frequency, 12);
  });
  expect(magnitude).toBeCloseTo(0.1 * Math.log(4) + 1, 12);
});

test('yarn without extrapolation is linear scaling', () => {
  const plain = plainFrequencies(16, 10000);
  const { values, magnitude } = yarnFrequencies(plain, { ...YARN, extrapolation: 0 });
  expect([...values]).toEqual([...plain].map((frequency) => frequency / 4));
  expect(magnitude).toBe(1);
});
