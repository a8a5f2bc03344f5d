/** The benchmark of many requests, a good part of them bad, in its short form: nothing is lost and nothing is left behind. */
import { expect, it } from 'vitest';
import { KINDS, soak } from '../bench/serve-soak.mjs';

it('answers every good request among bad ones of every kind, and has nothing left to do afterwards', async () => {
  const args = ['-t', '1', '-c', '128', '--slots', '4'];
  const { counts, unexpected, after, code, requests } = await soak({
    model: 'phi3-tiny',
    requests: 400,
    workers: 16,
    tokens: 6,
    args,
  });
  expect(unexpected).toEqual([]);
  expect(requests).toBe(400);
  expect(Object.keys(counts).sort()).toEqual(Object.keys(KINDS).sort());
  expect(after).toEqual({ active: 0, waiting: 0 });
  expect(code).toBe(0);
});
