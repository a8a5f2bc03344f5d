/** Merging: tokens weigh the same, whichever file they come from. */
import { expect, test } from 'vitest';
import { type ImportanceEntry, type ImportanceMatrix, ImportanceSum } from './index.ts';

function matrix(name: string, sums: number[], counts: number[], chunkCount = 1): ImportanceMatrix {
  const entry: ImportanceEntry = { sums: Float32Array.from(sums), counts: Float32Array.from(counts) };
  return {
    name,
    form: 'gguf',
    entries: new Map([['blk.0.ffn_up.weight', entry]]),
    datasets: [`${name}.txt`],
    chunkCount,
    chunkSize: 512,
  };
}

test('sums and counts are added, so a file of more tokens weighs more', () => {
  const sum = new ImportanceSum();
  sum.addMatrix(matrix('a', [1024, 0], [1024], 2));
  sum.addMatrix(matrix('b', [0, 512], [512], 1));
  expect(sum.finish('c', 'gguf')).toEqual({
    name: 'c',
    form: 'gguf',
    entries: new Map([
      ['blk.0.ffn_up.weight', { sums: Float32Array.of(1024, 512), counts: Float32Array.of(1536) }],
    ]),
    datasets: ['a.txt', 'b.txt'],
    chunkCount: 3,
    chunkSize: 512,
  });
});

test('a weight multiplies sums and counts alike', () => {
  const sum = new ImportanceSum();
  sum.add('a', 'x', { sums: [2, 4], counts: [2] }, 3);
  expect(sum.finish('c', 'gguf').entries.get('x')).toEqual({
    sums: Float32Array.of(6, 12),
    counts: Float32Array.of(6),
  });
});

test('one count for all experts is added to the count of each', () => {
  const sum = new ImportanceSum();
  sum.addMatrix(matrix('a', [1, 2, 3, 4], [10]));
  sum.addMatrix(matrix('b', [1, 1, 1, 1], [5, 0]));
  expect(sum.finish('c', 'gguf').entries.get('blk.0.ffn_up.weight')).toEqual({
    sums: Float32Array.of(2, 3, 4, 5),
    counts: Float32Array.of(15, 10),
  });
});

test('small numbers added to a large one are not lost before the end', () => {
  const sum = new ImportanceSum();
  sum.add('a', 'x', { sums: [2 ** 24], counts: [1] });
  // In f32 each of these additions would be rounded away.
  for (let i = 0; i < 16; i++) sum.add('a', 'x', { sums: [0.5], counts: [1] });
  expect(sum.finish('c', 'gguf').entries.get('x')?.sums).toEqual(Float32Array.of(2 ** 24 + 8));
});

test('another width is another model', () => {
  const sum = new ImportanceSum();
  sum.addMatrix(matrix('a', [1, 2], [1]));
  expect(() => sum.addMatrix(matrix('b.gguf', [1, 2, 3], [1]))).toThrow(
    'b.gguf: blk.0.ffn_up.weight has 3 columns in 1 matrices, before it were 2 in 1',
  );
});
