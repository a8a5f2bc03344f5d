/** Importance matrices in both forms: round trips, misfits, and hostile files. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { BitmillError, memorySource } from '../core/index.ts';
import { type GgufValue, layoutGguf, type Metadata, str, strings, u32 } from '../gguf/index.ts';
import { FORMATS, type TensorFormat } from '../quants/index.ts';
import {
  checkAgainstModel,
  filterEntries,
  type ImportanceMatrix,
  importanceFor,
  readImportanceMatrix,
  writeImportanceMatrix,
} from './index.ts';

const MATRIX: ImportanceMatrix = {
  name: 'i',
  form: 'gguf',
  entries: new Map([
    ['blk.0.attn_qkv.weight', { sums: Float32Array.of(512, 1024, 0, 2048), counts: Float32Array.of(1024) }],
    [
      'blk.0.ffn_up_exps.weight',
      { sums: Float32Array.of(512, 1024, 5, 7, 100, 300), counts: Float32Array.of(512, 0, 100) },
    ],
  ]),
  datasets: ['text.txt'],
  chunkCount: 2,
  chunkSize: 512,
};

const read = (bytes: Uint8Array) => readImportanceMatrix(memorySource(bytes, 'i'));

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await read(bytes).then(
    () => 'accepted',
    (reason: unknown) => reason,
  );
  if (error instanceof BitmillError && error.exitCode === 3) return error.message;
  if (typeof error === 'string') return error;
  throw error;
}

test('the GGUF form keeps everything', async () => {
  expect(await read(writeImportanceMatrix(MATRIX, 'gguf'))).toEqual(MATRIX);
});

test('importance is the mean over tokens, and 1 for an expert that saw none', () => {
  expect(importanceFor(MATRIX, 'blk.0.attn_qkv.weight', 4)).toEqual(Float32Array.of(0.5, 1, 0, 2));
  expect(importanceFor(MATRIX, 'blk.0.ffn_up_exps.weight', 6)).toEqual(Float32Array.of(1, 2, 1, 1, 1, 3));
  expect(importanceFor(MATRIX, 'blk.1.attn_qkv.weight', 4)).toBeNull();
});

test('the .dat form keeps the means, the chunks and the first data set', async () => {
  const matrix = await read(writeImportanceMatrix(MATRIX, 'dat'));
  expect(matrix).toMatchObject({ form: 'dat', datasets: ['text.txt'], chunkCount: 2 });
  expect(importanceFor(matrix, 'blk.0.attn_qkv.weight', 4)).toEqual(Float32Array.of(0.5, 1, 0, 2));
  expect(importanceFor(matrix, 'blk.0.ffn_up_exps.weight', 6)).toEqual(Float32Array.of(1, 2, 1, 1, 1, 3));
});

test('entries are left out by parts of their names', () => {
  const names = (options: Parameters<typeof filterEntries>[1]) => [
    ...filterEntries(MATRIX, options).entries.keys(),
  ];
  expect(names({ include: ['attn'] })).toEqual(['blk.0.attn_qkv.weight']);
  expect(names({ exclude: ['attn'] })).toEqual(['blk.0.ffn_up_exps.weight']);
});

test('all misfits with a model are listed in one error', () => {
  const matrix = {
    ...MATRIX,
    entries: new Map([
      ...MATRIX.entries,
      ['blk.9.ffn_up.weight', { sums: Float32Array.of(1), counts: Float32Array.of(1) }],
      ['a.weight', { sums: Float32Array.of(Number.NaN), counts: Float32Array.of(1) }],
      ['b.weight', { sums: Float32Array.of(0), counts: Float32Array.of(0) }],
    ]),
  };
  const model = [
    { name: 'blk.0.attn_qkv.weight', shape: [8, 4] },
    { name: 'blk.0.ffn_up_exps.weight', shape: [2, 9, 3] },
    { name: 'a.weight', shape: [1, 4] },
    { name: 'b.weight', shape: [1, 4] },
  ];
  expect(() => checkAgainstModel(matrix, model)).toThrow(
    'i: does not fit the model:\n' +
      '  blk.0.attn_qkv.weight: has 4 columns, the model 8\n' +
      '  blk.9.ffn_up.weight: the model has no such tensor\n' +
      '  a.weight: value NaN at index 0\n' +
      '  b.weight: saw no token (count 0)',
  );
});

/** A .dat with one entry, with given fields. */
function dat({
  entries = 1,
  length = 1,
  calls = 1,
  values = 2,
  tail = [] as number[],
  value = 1,
}): Uint8Array {
  const bytes = new Uint8Array(25 + tail.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, entries, true);
  view.setInt32(4, length, true);
  bytes[8] = 0x61;
  view.setInt32(9, calls, true);
  view.setInt32(13, values, true);
  view.setFloat32(17, value, true);
  bytes.set(tail, 25);
  return bytes;
}

describe('hostile .dat files end in one clear error', () => {
  test.each([
    ['no entries', dat({ entries: 0 }), 'number of entries is 0'],
    ['2^31 - 1 entries', dat({ entries: 2 ** 31 - 1 }), 'number of entries is 2147483647'],
    ['negative entries', dat({ entries: -1 }), 'number of entries is -1'],
    ['a negative name length', dat({ length: -1 }), 'length of the tensor name is -1'],
    ['a name longer than the file', dat({ length: 100 }), 'length of the tensor name is 100'],
    ['negative calls', dat({ calls: -5 }), 'number of calls of a is -5'],
    ['negative values', dat({ values: -1 }), 'number of values of a is -1'],
    ['more values than bytes', dat({ values: 2 ** 30 }), 'number of values of a is 1073741824'],
    ['NaN', dat({ value: Number.NaN }), 'a: value NaN at index 0'],
    ['infinity', dat({ value: Number.POSITIVE_INFINITY }), 'a: value Infinity at index 0'],
    ['a negative value', dat({ value: -1 }), 'a: value -512 at index 0'],
    ['a cut trailer', dat({ tail: [1, 0] }), 'number of chunks needs 4 bytes, 2 are left'],
    [
      'a data set longer than the file',
      dat({ tail: [1, 0, 0, 0, 9, 0, 0, 0] }),
      'length of the name of the data set',
    ],
    ['more after the end', dat({ tail: [1, 0, 0, 0, 0, 0, 0, 0, 7] }), '1 more bytes follow'],
    ['three bytes', new Uint8Array(3), 'has 3 bytes'],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytes)).toContain(message);
  });
});

/** A GGUF imatrix with given tensors. */
function ggufForm(tensors: [string, TensorFormat, number[]][], keys: Metadata): Uint8Array {
  const specs = tensors.map(([name, format, shape]) => ({ name, format, shape }));
  const { header, size } = layoutGguf({ metadata: keys, tensors: specs });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  return bytes;
}

describe('hostile GGUF forms end in one clear error', () => {
  const keys: Metadata = new Map<string, GgufValue>([
    ['general.type', str('imatrix')],
    ['imatrix.datasets', strings([])],
    ['imatrix.chunk_count', u32(1)],
    ['imatrix.chunk_size', u32(512)],
  ]);
  const without = (key: string): Metadata => new Map([...keys].filter(([name]) => name !== key));
  const { F32, F16 } = FORMATS;
  const pair: [string, TensorFormat, number[]][] = [
    ['a.in_sum2', F32, [4]],
    ['a.counts', F32, [1]],
  ];
  test.each([
    ['a model', ggufForm(pair, without('general.type')), 'is a GGUF of type model'],
    ['no chunk size', ggufForm(pair, without('imatrix.chunk_size')), 'has no imatrix.chunk_size'],
    ['no data sets', ggufForm(pair, without('imatrix.datasets')), 'has no list imatrix.datasets'],
    ['no counts', ggufForm([pair[0]], keys), 'tensor a has no counts'],
    ['no sums', ggufForm([pair[1]], keys), 'tensor a has no sums'],
    ['F16 sums', ggufForm([['a.in_sum2', F16, [4]], pair[1]], keys), 'tensor a.in_sum2 is F16, not F32'],
    [
      'too few counts',
      ggufForm([['a.in_sum2', F32, [4, 2]], pair[1]], keys),
      'sums of 2 matrices, but 1 counts',
    ],
    ['no entry', ggufForm([['a.in_sum', F32, [4]]], keys), 'holds no entry'],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(bytes)).toContain(message);
  });
});

test.each(['gguf', 'dat'] as const)('2,000 mutations of a %s file are read or refused', async (form) => {
  const original = writeImportanceMatrix(MATRIX, form);
  const random = uniform(form.length);
  const pick = (n: number) => Math.floor(n * random());
  let accepted = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = original.slice(0, random() < 0.2 ? pick(original.length) : original.length);
    for (let n = 1 + pick(4); n > 0 && bytes.length > 0; n--) {
      bytes[pick(bytes.length)] = random() < 0.5 ? pick(256) : [0, 255, 127, 128][pick(4)];
    }
    if ((await refusal(bytes)) === 'accepted') accepted++;
  }
  expect(accepted).toBeGreaterThan(100);
  expect(accepted).toBeLessThan(1900);
});
