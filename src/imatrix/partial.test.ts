/** Partial files: everything comes back, and any importance reader takes them. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { memorySource } from '../core/index.ts';
import {
  type CollectState,
  hashChunks,
  type ImportanceMatrix,
  keyDifference,
  readImportanceMatrix,
  readPartial,
  writeImportanceMatrix,
  writePartial,
} from './index.ts';

const KEY = { model: 'm', settings: 's', texts: 't' };

const STATE: CollectState = {
  chunksDone: 3,
  totals: [
    new Map([['blk.0.ffn_up.weight', { sums: Float64Array.of(1 / 3, 2 ** 60 + 2 ** 10), count: 1024 }]]),
    new Map([['blk.0.ffn_up.weight', { sums: Float64Array.of(Math.PI, 0), count: 512 }]]),
  ],
  loss: { nll: 0.1, squares: 1e-300, tokens: 765 },
};

const PREVIEW: ImportanceMatrix = {
  name: 'p',
  form: 'gguf',
  entries: new Map([['blk.0.ffn_up.weight', { sums: Float32Array.of(4, 5), counts: Float32Array.of(1536) }]]),
  datasets: ['a.txt'],
  chunkCount: 3,
  chunkSize: 512,
};

test('f64 sums, losses and keys come back bit by bit', async () => {
  const bytes = writePartial(PREVIEW, STATE, KEY);
  expect(await readPartial(memorySource(bytes, 'p'))).toEqual({ state: STATE, key: KEY });
});

test('a reader of importance matrices takes it for one of what was seen so far', async () => {
  const bytes = writePartial(PREVIEW, STATE, KEY);
  expect(await readImportanceMatrix(memorySource(bytes, 'p'))).toEqual(PREVIEW);
});

test('a finished importance matrix is no partial file', async () => {
  const bytes = writeImportanceMatrix(PREVIEW, 'gguf');
  await expect(readPartial(memorySource(bytes, 'p'))).rejects.toThrow('bitmill.imatrix.groups');
});

test('NaN sums are refused', async () => {
  const totals = [new Map([['a', { sums: Float64Array.of(Number.NaN), count: 1 }]])];
  const bytes = writePartial(PREVIEW, { ...STATE, totals }, KEY);
  await expect(readPartial(memorySource(bytes, 'p'))).rejects.toThrow(
    'a.in_sum2.0 has numbers that no calibration',
  );
});

test('the difference of two runs has a name', () => {
  expect(keyDifference(KEY, KEY)).toBeUndefined();
  expect(keyDifference(KEY, { ...KEY, model: 'n' })).toBe('another model');
  expect(keyDifference(KEY, { ...KEY, texts: 'n' })).toBe('other texts');
});

test('the hash covers the chunks that are done and their weights, nothing after', () => {
  const digest = (weight: number, done: number, ...ids: number[]) => {
    const hash = createHash('sha256');
    hashChunks(hash, [{ weight, chunks: ids.map((id) => Int32Array.of(id, 7)) }], done);
    return hash.digest('hex');
  };
  expect(digest(1, 2, 4, 5, 6)).toBe(digest(1, 2, 4, 5, 99));
  expect(digest(1, 2, 4, 5)).not.toBe(digest(1, 2, 4, 6));
  expect(digest(1, 2, 4, 5)).not.toBe(digest(2, 2, 4, 5));
});
