import { expect, test } from 'vitest';
import type { GgufFile } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { readRows, sampledRows } from './tensor-rows.ts';

test('sampled rows are the middles of equal stretches, each once', () => {
  expect(sampledRows(9, 3)).toEqual([1, 4, 7]);
  expect(sampledRows(10, 4)).toEqual([1, 3, 6, 8]);
  expect(sampledRows(4, 4)).toEqual([0, 1, 2, 3]);
  expect(sampledRows(3, 100)).toEqual([0, 1, 2]);
  expect(new Set(sampledRows(1000, 999)).size).toBe(999);
});

/** A file of F32 rows whose weights are the row's number, and what is read of it. */
function recorded(cols: number, rows: number) {
  const reads: string[] = [];
  const tensor = {
    name: 'w',
    shape: [cols, rows],
    format: FORMATS.F32,
    weights: cols * rows,
    bytes: 4 * cols * rows,
    offset: 0,
    shard: 0,
  };
  const file = {
    read: async (_tensor: unknown, offset: number, length: number) => {
      reads.push(`${length / 4 / cols} rows from ${offset / 4 / cols}`);
      return new Uint8Array(
        Float32Array.from({ length: length / 4 }, (_, i) => Math.floor((offset / 4 + i) / cols)).buffer,
      );
    },
  } as unknown as GgufFile;
  return { file, tensor, reads };
}

async function firstsOf(
  cols: number,
  wanted: readonly number[],
): Promise<{ firsts: number[]; reads: string[] }> {
  const { file, tensor, reads } = recorded(cols, 100_000);
  const weights = new Float32Array((await readRows(file, tensor, wanted)).buffer);
  expect(weights).toHaveLength(cols * wanted.length);
  return { firsts: wanted.map((_, i) => weights[i * cols]), reads };
}

test('rows up to 16 KiB apart come with one read, others with their own', async () => {
  // Rows of 4 KiB.
  expect(await firstsOf(1024, [2, 7, 12, 18])).toEqual({
    firsts: [2, 7, 12, 18],
    reads: ['11 rows from 2', '1 rows from 18'],
  });
});

test('no read is longer than 4 MiB, but for a longer row', async () => {
  expect(await firstsOf(2 ** 19, [0, 1, 2, 3])).toEqual({
    firsts: [0, 1, 2, 3],
    reads: ['2 rows from 0', '2 rows from 2'],
  });
  expect((await firstsOf(2 ** 21, [0, 1])).reads).toEqual(['1 rows from 0', '1 rows from 1']);
});
