/** Perplexity as it grows. */
import { expect, test } from 'vitest';
import { addLosses, NO_LOSS, perplexityOf, scoredRows } from './index.ts';

test('a model that gives each token 1/8 has perplexity 8, without error', () => {
  const found = perplexityOf(addLosses(NO_LOSS, new Float32Array(10).fill(Math.log(8))));
  expect(found?.value).toBeCloseTo(8, 5);
  expect(found?.error).toBeCloseTo(0, 5);
  expect(found?.tokens).toBe(10);
});

test('the standard error is that of the mean loss, times the perplexity', () => {
  // Losses 0 and 2: mean 1, variance 1, two tokens: e * sqrt(1 / (2 - 1)).
  const found = perplexityOf(addLosses(NO_LOSS, Float32Array.of(0, 2)));
  expect(found?.value).toBeCloseTo(Math.E, 12);
  expect(found?.error).toBeCloseTo(Math.E, 12);
});

test('parts give the same sums as the whole', () => {
  const all = Float32Array.of(1, 2.5, 0.125, 7);
  expect(addLosses(addLosses(NO_LOSS, all.slice(0, 1)), all.slice(1))).toEqual(addLosses(NO_LOSS, all));
});

test('nothing scored is no perplexity', () => {
  expect(perplexityOf(NO_LOSS)).toBeUndefined();
});

test('255 of 512 tokens are scored: those after rows 256 to 510', () => {
  expect(scoredRows(512)).toEqual({ from: 256, to: 511 });
});
