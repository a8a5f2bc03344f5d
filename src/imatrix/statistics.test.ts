/** Statistics of importance matrices, by hand. */
import { expect, test } from 'vitest';
import { type ImportanceMatrix, layerStatistics, tensorStatistics } from './index.ts';

function matrix(entries: Record<string, readonly number[]>, tokens = 2): ImportanceMatrix {
  return {
    name: 'm',
    form: 'gguf',
    entries: new Map(
      Object.entries(entries).map(([name, means]) => [
        name,
        { sums: Float32Array.from(means, (mean) => mean * tokens), counts: Float32Array.of(tokens) },
      ]),
    ),
    datasets: [],
    chunkCount: 1,
    chunkSize: tokens,
  };
}

const MATRIX = matrix({
  'output.weight': [1, 1],
  'blk.1.ffn_up.weight': [0, 8],
  'blk.1.attn_qkv.weight': [0, 0, 0, 16],
  'blk.0.attn_qkv.weight': [4, 4, 4, 4],
});

test('tensors come by layer and name, those outside of layers last', () => {
  expect(tensorStatistics(MATRIX).map(({ layer, kind }) => [layer, kind])).toEqual([
    [0, 'attn_qkv'],
    [1, 'attn_qkv'],
    [1, 'ffn_up'],
    [undefined, 'output'],
  ]);
});

test('four equal columns have 2 bits of entropy, no spread, no outlier', () => {
  expect(tensorStatistics(MATRIX)[0]).toMatchObject({
    name: 'blk.0.attn_qkv.weight',
    columns: 4,
    tokens: 2,
    sum: 16,
    mean: 4,
    min: 4,
    max: 4,
    sigma: 0,
    active: 1,
    entropy: 2,
    evenness: 1,
    outliers: 0,
    cosine: undefined,
  });
});

test('one column that has everything: entropy 0, a quarter active, a quarter outliers, and it is the top column', () => {
  expect(tensorStatistics(MATRIX, 2)[1]).toMatchObject({
    sum: 16,
    mean: 4,
    min: 0,
    max: 16,
    sigma: Math.sqrt(48),
    active: 0.25,
    entropy: 0,
    evenness: 0,
    outliers: 0.25,
    top: [
      { column: 3, meanSquare: 16, share: 1 },
      { column: 0, meanSquare: 0, share: 0 },
    ],
  });
});

test('the cosine to the layer before: (4,4,4,4) and (0,0,0,16) meet at 60 degrees', () => {
  const [, second, third] = tensorStatistics(MATRIX);
  expect(second.cosine).toBeCloseTo(0.5, 12);
  expect(third.cosine).toBeUndefined();
});

test('a layer weighs its tensors by their columns', () => {
  const [first, second] = layerStatistics(tensorStatistics(MATRIX));
  expect(first).toMatchObject({ layer: 0, columns: 4, mean: 4, cosine: undefined });
  // attn_qkv: mean 4 over 4 columns, a quarter active; ffn_up: mean 4 over 2 columns, half active.
  expect(second).toMatchObject({ layer: 1, columns: 6, mean: 4 });
  expect(second.active).toBeCloseTo((4 * 0.25 + 2 * 0.5) / 6, 12);
  expect(second.cosine).toBeCloseTo(0.5, 12);
});
