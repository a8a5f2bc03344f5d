import { describe, expect, test } from 'vitest';
import { type Executor, inlineExecutor, memorySource } from '../core/index.ts';
import { type GgufFile, readGguf } from '../gguf/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { workerPool } from '../platform/index.ts';
import { buildImportance, buildModel, phiTensors, type TestTensor } from '../quantize/testing.cases.ts';
import { decode, FORMATS, type FormatName, quality, type TensorFormat } from '../quants/index.ts';
import { tensorErrors } from './index.ts';

const open = (tensors: readonly TestTensor[], name: string): Promise<GgufFile> =>
  readGguf(memorySource(buildModel(tensors, new Map()), name));

/** The same tensors in another format, where their rows are whole blocks of it. */
async function quantized(
  file: GgufFile,
  formatOf: (i: number) => FormatName,
  name = 'quant.gguf',
): Promise<GgufFile> {
  const tensors: TestTensor[] = [];
  for (const [i, tensor] of file.tensors.entries()) {
    const values = decode(tensor.format, await file.read(tensor), tensor.weights);
    const format = tensor.shape.length > 1 ? FORMATS[formatOf(i)] : tensor.format;
    tensors.push({ name: tensor.name, shape: tensor.shape, format, values });
  }
  return open(tensors, name);
}

const matrixOf = (entries: Readonly<Record<string, readonly (readonly number[])[]>>): ImportanceMatrix => ({
  name: 'a.imatrix',
  form: 'gguf',
  entries: new Map(
    Object.entries(entries).map(([name, rows]) => [
      name,
      { sums: Float32Array.from(rows.flat()), counts: new Float32Array(rows.length).fill(2) },
    ]),
  ),
  datasets: [],
  chunkCount: 1,
  chunkSize: 1,
});

/** A row of 32 that begins with these, zeros behind. */
const row = (...values: number[]): number[] => [...values, ...new Array<number>(32 - values.length).fill(0)];

/** One tensor of 32 columns; Q4_0 holds small integers beside a -8 exactly. */
const single = (rows: readonly number[][], format: TensorFormat, name: string, shape = [32, rows.length]) =>
  open([{ name: 'w', shape, format, values: Float32Array.from(rows.flat()) }], name);

describe('the error of a tensor', () => {
  test('is the sum of squared differences over the sum of squares', async () => {
    const original = await single([row(-8, 2, 5), row(-8, 1)], FORMATS.F32, 'original.gguf');
    const quant = await single([row(-8, 2, 3), row(-8, 0)], FORMATS.Q4_0, 'quant.gguf');
    expect(await tensorErrors(original, quant, undefined, { executor: inlineExecutor })).toEqual({
      w: { format: 'Q4_0', error: (4 + 1) / (64 + 4 + 25 + 64 + 1) },
    });
  });

  test('weighs each column by its mean importance', async () => {
    const original = await single([row(-8, 2, 5)], FORMATS.F16, 'original.gguf');
    const quant = await single([row(-8, 2, 3)], FORMATS.Q4_0, 'quant.gguf');
    // Sums of two tokens each: means 0.5, 1 and 3.
    const matrix = matrixOf({ w: [row(1, 2, 6)] });
    expect(await tensorErrors(original, quant, matrix, { executor: inlineExecutor })).toEqual({
      w: { format: 'Q4_0', error: (3 * 4) / (0.5 * 64 + 4 + 3 * 25) },
    });
  });

  test('weighs the matrices of a tensor each by its own importance', async () => {
    const shape = [32, 1, 2];
    const original = await single([row(-8, 2), row(-8, 2)], FORMATS.BF16, 'original.gguf', shape);
    const quant = await single([row(-8, 1), row(-8, 1)], FORMATS.Q4_0, 'quant.gguf', shape);
    const matrix = matrixOf({ w: [row(2, 2), row(0, 8)] });
    expect(await tensorErrors(original, quant, matrix, { executor: inlineExecutor })).toEqual({
      w: { format: 'Q4_0', error: (1 + 4) / (64 + 4 + 4 * 4) },
    });
  });

  test('is 0 for a lossless tensor, a tensor of zeros among them', async () => {
    for (const rows of [[row(-8, 2)], [row(0)]]) {
      const original = await single(rows, FORMATS.F32, 'original.gguf');
      const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
      const errors = await tensorErrors(original, quant, undefined, { executor: inlineExecutor });
      expect(errors['w'].error).toBe(0);
    }
  });
});

describe('a whole model', () => {
  const TENSORS = phiTensors(2, 256);
  const IMPORTANCE = buildImportance(TENSORS);
  const FORMS: FormatName[] = ['Q2_K', 'IQ4_XS', 'Q8_0', 'Q4_K', 'IQ3_S'];
  const files = async () => {
    const original = await open(TENSORS, 'original.gguf');
    return { original, quant: await quantized(original, (i) => FORMS[i % FORMS.length]) };
  };

  test('has the errors that `quality` finds of whole tensors, in order, of the quantized ones', async () => {
    const { original, quant } = await files();
    const expected: Record<string, { format: string; error: unknown }> = {};
    for (const tensor of quant.tensors.filter(({ shape }) => shape.length > 1)) {
      const source = original.find(tensor.name);
      if (!source) throw new Error('lost');
      const x = decode(source.format, await original.read(source), tensor.weights);
      const y = decode(tensor.format, await quant.read(tensor), tensor.weights);
      const importance = IMPORTANCE.entries.get(tensor.name)?.sums.map((sum) => sum / 512) ?? null;
      const { error } = quality(x, y, tensor.shape[0], importance);
      expected[tensor.name] = { format: tensor.format.name, error: expect.closeTo(error, 12) as unknown };
    }
    const errors = await tensorErrors(original, quant, IMPORTANCE, { executor: inlineExecutor });
    expect(errors).toEqual(expected);
    expect(Object.keys(errors)).toEqual(Object.keys(expected));
    expect(Object.keys(errors)).toHaveLength(10);
    expect(errors['blk.0.attn_qkv.weight'].error).toBeGreaterThan(1e-3);
  });

  test('loses the same by worker threads, and by as many rows as there are', async () => {
    const { original, quant } = await files();
    const errors = await tensorErrors(original, quant, IMPORTANCE, { executor: inlineExecutor });
    const executor = workerPool(2);
    for (const maxRows of [1024, 1e9]) {
      expect(await tensorErrors(original, quant, IMPORTANCE, { executor, maxRows })).toEqual(errors);
    }
    await executor.close();
  });

  test('is estimated by some rows to a few percent, the same every time', async () => {
    const { original, quant } = await files();
    const options = { executor: inlineExecutor, maxRows: 48 };
    const [whole, some, again] = [
      await tensorErrors(original, quant, IMPORTANCE, { executor: inlineExecutor }),
      await tensorErrors(original, quant, IMPORTANCE, options),
      await tensorErrors(original, quant, IMPORTANCE, options),
    ];
    expect(again).toEqual(some);
    expect(some).not.toEqual(whole);
    for (const [name, { error }] of Object.entries(some)) {
      expect(error / whole[name].error, name).toBeGreaterThan(0.9);
      expect(error / whole[name].error, name).toBeLessThan(1.1);
    }
  });

  test('progress counts quantized tensors', async () => {
    const { original, quant } = await files();
    const told: string[] = [];
    const progress = (done: number, total: number) => void told.push(`${done}/${total}`);
    await tensorErrors(original, quant, undefined, { executor: inlineExecutor, progress });
    expect(told).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 1}/10`));
  });
});

test('only the sampled rows count', async () => {
  // Of 4 rows the middles of two halves: 1 and 3.
  const original = await single(
    [row(-8, 7), row(-8, 2), row(-8, 7), row(-8, 1)],
    FORMATS.F32,
    'original.gguf',
  );
  const quant = await single([row(-8), row(-8, 1), row(-8), row(-8, 1)], FORMATS.Q4_0, 'quant.gguf');
  const errors = await tensorErrors(original, quant, undefined, { executor: inlineExecutor, maxRows: 2 });
  expect(errors['w'].error).toBe(1 / (64 + 4 + 64 + 1));
});

test('no more than one chunk waits for the threads, whatever the size of the tensor', async () => {
  const shape = [4096, 4096];
  const weights = 4096 * 4096;
  const fake = (name: string, format: TensorFormat): GgufFile => {
    const bytes = (weights / format.blockSize) * format.blockBytes;
    const tensor = { name: 'w', shape, format, weights, bytes, offset: 0, shard: 0 };
    return {
      name,
      tensors: [tensor],
      find: () => tensor,
      read: async (_tensor: unknown, _offset: number, length: number) => new Uint8Array(length),
    } as unknown as GgufFile;
  };
  let [held, most, jobs] = [0, 0, 0];
  const executor: Executor = {
    threads: 2,
    run: async (_job, _input, transfer = []) => {
      const bytes = transfer.reduce((sum, { byteLength }) => sum + byteLength, 0);
      held += bytes;
      most = Math.max(most, held);
      jobs++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      held -= bytes;
      return { squares: 1, errors: 0 } as never;
    },
    close: async () => {},
  };
  await tensorErrors(fake('a', FORMATS.F32), fake('b', FORMATS.Q8_0), undefined, { executor });
  expect(jobs).toBe(16);
  // 2^20 weights a chunk, 4 bytes and 34/32 bytes each; two that are worked on, one that waits.
  expect(most).toBe(3 * 2 ** 20 * (4 + 34 / 32));
});

describe('an input error:', () => {
  const options = { executor: inlineExecutor };
  const rows = [row(-8, 1), row(-8, 2)];

  test('a tensor of another shape', async () => {
    const original = await single(rows, FORMATS.F32, 'original.gguf', [64, 1]);
    const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
    await expect(tensorErrors(original, quant, undefined, options)).rejects.toThrow(
      'quant.gguf: tensor w: has 32 x 2 weights, in the original, original.gguf, 64 x 1',
    );
  });

  test('a tensor that the original lacks', async () => {
    const original = await open([{ name: 'v', shape: [32, 1] }], 'original.gguf');
    const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
    await expect(tensorErrors(original, quant, undefined, options)).rejects.toThrow(
      'quant.gguf: tensor w: the original, original.gguf, does not have it',
    );
  });

  test('an original that is quantized itself', async () => {
    const original = await single(rows, FORMATS.Q8_0, 'original.gguf');
    const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
    await expect(tensorErrors(original, quant, undefined, options)).rejects.toThrow(
      'original.gguf: tensor w: is Q8_0; errors are measured against F32, F16 or BF16',
    );
  });

  test('an importance matrix of another model', async () => {
    const original = await single(rows, FORMATS.F32, 'original.gguf');
    const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
    await expect(tensorErrors(original, quant, matrixOf({ w: [[1, 2, 3]] }), options)).rejects.toThrow(
      'a.imatrix: w has 3 columns, the model 32',
    );
  });

  test('weights that are not finite, and zeros that became something', async () => {
    const quant = await single(rows, FORMATS.Q4_0, 'quant.gguf');
    const broken = await single([row(-8, Number.NaN), row(-8)], FORMATS.F32, 'original.gguf');
    await expect(tensorErrors(broken, quant, undefined, options)).rejects.toThrow(
      'quant.gguf: tensor w: holds weights that are NaN or infinite, or the original does',
    );
    const zeros = await single([row(0), row(0)], FORMATS.F32, 'original.gguf');
    await expect(tensorErrors(zeros, quant, undefined, options)).rejects.toThrow(
      'quant.gguf: tensor w: is zero in the original, and not in this file',
    );
  });
});
