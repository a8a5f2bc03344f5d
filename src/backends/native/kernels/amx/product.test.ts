/** Products through tiles for weights of every kind, against sums in f64 of what the plain decoders make of the weights. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../../../test/random.ts';
import { f32ToBf16, f32ToF16 } from '../../../../core/index.ts';
import { FORMATS, type TensorFormat } from '../../../../quants/index.ts';
import { assembleKernel } from '../../kernel.ts';
import { LEVELS } from '../../level.ts';
import { KernelBench, testLevels } from '../../testing.cases.ts';
import { UNPACKS } from '../../unpack/index.ts';
import { Q4_K } from '../../unpack/q4_k.ts';
import { randomBlocks } from '../../unpack/unpack.cases.ts';
import { TILE_ACTIVATIONS, tileActivationsScratch } from './activations.ts';
import { batchAmxKernel, batchAmxScratch } from './product.ts';
import { type Terms, termPairs, tileLayout } from './shape.ts';
import { blockOf, nameOf, termsOf, type WeightKind } from './weights.ts';

const levels = testLevels.filter(({ amx }) => amx);
const formats: Readonly<Record<string, TensorFormat>> = FORMATS;
const unpacks = Object.values(UNPACKS).flatMap((unpack) => (unpack ? [unpack] : []));

interface Weights {
  readonly bytes: Uint8Array;
  /** [rows][cols]. */
  readonly values: Float32Array;
}

const RANDOM: Readonly<Record<string, (values: Float32Array) => Float32Array | Uint16Array>> = {
  F32: (values) => values,
  F16: (values) => Uint16Array.from(values, f32ToF16),
  BF16: (values) => Uint16Array.from(values, f32ToBf16),
};

function randomWeights(kind: WeightKind, rows: number, cols: number): Weights {
  const format = formats[nameOf(kind)];
  const { weights } = blockOf(kind);
  const count = (rows * cols) / weights;
  const values = new Float32Array(rows * cols);
  const random = uniform(rows);
  const floats = RANDOM[nameOf(kind)]?.(values.map(() => random() - 0.5));
  const bytes = floats ? new Uint8Array(floats.buffer) : randomBlocks(format, count, rows);
  format.decode(bytes, values);
  return { bytes, values };
}

interface Shape {
  readonly rows: number;
  readonly cols: number;
  readonly tokens: number;
}

/** y [tokens][rows], and beyond each row what was there. */
function product(
  bench: KernelBench,
  kind: WeightKind,
  terms: Terms,
  weights: Uint8Array,
  x: Float32Array,
  { rows, cols, tokens }: Shape,
  threads = 1,
): Float32Array {
  const tiles = bench.alloc(tileLayout(tokens, cols, terms.activations).bytes);
  bench.run(
    TILE_ACTIVATIONS[terms.activations],
    { x: bench.put(x), xStride: 4 * cols, tokens, cols, tiles },
    { threads, scratch: tileActivationsScratch(terms.activations) },
  );
  const stride = rows + 5;
  const y = bench.put(new Float32Array(tokens * stride).fill(-77));
  bench.run(
    batchAmxKernel(kind, terms),
    { weights: bench.put(weights), rows, cols, tiles, tokens, y, yStride: 4 * stride },
    { threads, scratch: batchAmxScratch(terms).bytes },
  );
  const found = bench.f32(y, tokens * stride);
  const result = new Float32Array(tokens * rows);
  for (let token = 0; token < tokens; token++) {
    result.set(found.subarray(token * stride, token * stride + rows), token * rows);
    expect([...found.subarray(token * stride + rows, (token + 1) * stride)]).toEqual(Array(5).fill(-77));
  }
  return result;
}

/** Root of the mean square of the differences, relative to that of the results in f64. */
function relativeError(
  found: Float32Array,
  w: Float32Array,
  x: Float32Array,
  { rows, cols, tokens }: Shape,
): number {
  let [wrong, all] = [0, 0];
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      for (let i = 0; i < cols; i++) sum += w[row * cols + i] * x[token * cols + i];
      wrong += (found[token * rows + row] - sum) ** 2;
      all += sum ** 2;
    }
  }
  return Math.sqrt(wrong / all);
}

const activations = ({ tokens, cols }: Shape): Float32Array => {
  const random = uniform(5);
  return Float32Array.from({ length: tokens * cols }, () => random() + random() - 1);
};

/** The largest relative error that is allowed; about half of it was measured. */
const CASES: readonly {
  readonly kinds: readonly WeightKind[];
  readonly terms: Terms;
  readonly error: number;
}[] = [
  { kinds: [...unpacks, 'BF16'], terms: { activations: 1, weights: 1 }, error: 4e-3 },
  { kinds: unpacks, terms: { activations: 2, weights: 2 }, error: 1e-5 },
  { kinds: ['BF16'], terms: { activations: 2, weights: 1 }, error: 5e-6 },
  { kinds: ['BF16'], terms: { activations: 3, weights: 1 }, error: 3e-7 },
  { kinds: ['F16'], terms: { activations: 3, weights: 2 }, error: 3e-7 },
  { kinds: ['F32'], terms: { activations: 3, weights: 3 }, error: 3e-7 },
];

const each = CASES.flatMap(({ kinds, terms, error }) =>
  kinds.map((kind) => ({ name: nameOf(kind), kind, terms, error })),
);

describe.each(levels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(each)('$name with terms $terms: the error is below $error', ({ kind, terms, error }) => {
    const shape = { rows: 37, cols: blockOf(kind).weights === 1 ? 301 : 1280, tokens: 19 };
    const { bytes, values } = randomWeights(kind, shape.rows, shape.cols);
    const x = activations(shape);
    const found = product(bench, kind, terms, bytes, x, shape);
    expect(relativeError(found, values, x, shape)).toBeLessThan(error);
  });

  test.each([
    { kind: Q4_K, terms: { activations: 1, weights: 1 }, cols: 3328 }, // chunks of 3072 columns
    { kind: 'BF16', terms: { activations: 3, weights: 1 }, cols: 1030 }, // of 1024
  ] as const)('the bits of a token are the same in any company, with any number of threads', (given) => {
    const { kind, terms, cols } = given;
    const shape = { rows: 65, cols, tokens: 290 };
    const { bytes, values } = randomWeights(kind, shape.rows, cols);
    const x = activations(shape);
    const all = product(bench, kind, terms, bytes, x, shape);
    expect(relativeError(all, values, x, shape)).toBeLessThan(terms.activations === 1 ? 4e-3 : 3e-7);
    expect(product(bench, kind, terms, bytes, x, shape, 3)).toEqual(all);
    const last = product(bench, kind, terms, bytes, x.slice(289 * cols), { ...shape, tokens: 1 });
    expect(last).toEqual(all.slice(289 * shape.rows));
  });

  test('a scratch full of NaN changes nothing, and NaN in a token stays there', () => {
    const shape = { rows: 16, cols: 256, tokens: 3 };
    const { bytes } = randomWeights(Q4_K, shape.rows, shape.cols);
    const x = activations(shape);
    x[256] = Number.NaN;
    const found = product(bench, Q4_K, { activations: 1, weights: 1 }, bytes, x, shape);
    const nans = Array.from({ length: 3 }, (_, token) =>
      found.subarray(16 * token, 16 * token + 16).filter(Number.isNaN),
    );
    expect(nans.map(({ length }) => length)).toEqual([0, 16, 0]);
  });
});

test('more terms of bf16 weights than one are refused', () => {
  const kernel = batchAmxKernel('BF16', { activations: 3, weights: 2 });
  expect(() => assembleKernel(kernel, LEVELS.amx)).toThrow('weights in bf16 are one term');
  expect(() => assembleKernel(kernel, LEVELS.avx2)).toThrow('the level avx2 has no tiles');
});

test('every kernel assembles for tiles of the hardware', () => {
  for (const { kind, terms } of each) {
    expect(assembleKernel(batchAmxKernel(kind, terms), LEVELS.amx).length).toBeGreaterThan(1000);
  }
});

test('terms of floats are all that they have, those of blocks as many as planes', () => {
  expect(termsOf(Q4_K, 1)).toEqual({ activations: 1, weights: 1 });
  expect(termsOf(Q4_K, 2)).toEqual({ activations: 2, weights: 2 });
  expect(termsOf('BF16', 1)).toEqual({ activations: 3, weights: 1 });
  expect(termsOf('F32', 1)).toEqual({ activations: 3, weights: 3 });
  expect(termPairs({ activations: 3, weights: 2 })).toEqual([
    { a: 0, w: 0 },
    { a: 1, w: 0 },
    { a: 2, w: 0 },
    { a: 0, w: 1 },
    { a: 1, w: 1 },
  ]);
});
