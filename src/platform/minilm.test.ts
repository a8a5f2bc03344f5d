/**
 * A real checkpoint's weights against numbers read from the same file with Python's struct module. Runs where
 * scripts/fetch-models.mjs has put the model.
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readSafetensors } from '../hf/index.ts';
import { openFile } from './index.ts';

const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const FILE = path.join(CACHE, 'minilm.safetensors');
const missing = !existsSync(FILE);
if (missing) console.warn('minilm.test.ts skipped: no minilm.safetensors; run `npm run fetch-models`');

test.skipIf(missing)('all-MiniLM-L6-v2: shapes and values are those that Python reads', async () => {
  const source = await openFile(FILE);
  const { metadata, tensors } = await readSafetensors(source);
  expect([...metadata]).toEqual([['format', 'pt']]);
  expect(tensors.length).toBe(104);
  const find = (name: string) => {
    const found = tensors.find((tensor) => tensor.name === name);
    if (!found) throw new Error(`no tensor ${name}`);
    return found;
  };
  const read = async (name: string, begin: number, end: number) =>
    (await source.read(find(name).offset + begin, end - begin)).slice().buffer;

  expect(find('embeddings.position_ids')).toMatchObject({ dtype: 'I64', shape: [1, 512], bytes: 4096 });
  const ids = new BigInt64Array(await read('embeddings.position_ids', 8 * 509, 8 * 512));
  expect([...ids]).toEqual([509n, 510n, 511n]);

  const words = 'embeddings.word_embeddings.weight';
  expect(find(words)).toMatchObject({ dtype: 'F32', shape: [30522, 384], bytes: 46_881_792 });
  expect([...new Float32Array(await read(words, 0, 12))]).toEqual([
    -0.019989013671875, -0.0034027099609375, -0.014678955078125,
  ]);
  const lastRow = 4 * 384 * 30521;
  expect([...new Float32Array(await read(words, lastRow, lastRow + 12))]).toEqual([
    -0.048426516354084015, 0.010932212695479393, 0.018655691295862198,
  ]);

  const dense = 'encoder.layer.5.output.dense.weight';
  expect(find(dense)).toMatchObject({ dtype: 'F32', shape: [384, 1536], bytes: 2_359_296 });
  expect([...new Float32Array(await read(dense, 2_359_284, 2_359_296))]).toEqual([
    -0.0345587432384491, -0.017165755853056908, 0.0012321292888373137,
  ]);
  await source.close();
});
