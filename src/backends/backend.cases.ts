/**
 * The suite that every backend passes: each operation, on random inputs of many shapes, compared with the reference
 * backend. A backend's own test calls `backendCases`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CACHE_TYPES, GraphBuilder, type Value, withSquareSums } from '../graph/index.ts';
import { FORMATS, type TensorFormat } from '../quants/index.ts';
import { attentionCases, layerCases, spanCases, splitCases } from './attention.cases.ts';
import { type Backend, type Buffer, bytesOf, readF32 } from './backend.ts';
import { referenceBackend } from './reference.ts';
import {
  dims,
  largestError,
  type NamedCase,
  runCase,
  type TestCase,
  testCase,
  testValues,
  testWeight,
} from './run-graph.cases.ts';

/** How far a backend may be from the reference: relative to the largest magnitude of the same row. */
export interface Tolerances {
  /** Everything that is not named below: rounding of f32 arithmetic. */
  readonly rounding: number;
  /** Products with quantized weights: what rounding the activations to integers costs. */
  readonly quantized: number;
  /** Attention over q8_0 caches: a value between two codes may be rounded to the other one. */
  readonly q8Cache: number;
  /** Running sums, which are f64. */
  readonly sums: number;
}

/** Tensor formats that weights come in. */
export const WEIGHT_FORMATS: readonly TensorFormat[] = Object.values(FORMATS).filter(
  ({ kind }) => kind !== 'integer',
);

/** A row length in which every format has whole blocks, and one that is as odd as the format allows. */
function rowLengths({ blockSize }: TensorFormat): number[] {
  return blockSize === 1 ? [512, 45, 7] : blockSize === 256 ? [512, 256] : [512, 3 * blockSize];
}

function embedCase(format: TensorFormat): TestCase {
  const weight = testWeight('table', format, [512, 9], format.id);
  const tokens = Int32Array.of(0, 8, 3, 3);
  return testCase([weight], [{ dims: dims(4), inputs: { tokens } }], (g) =>
    g.output('out', g.embed(g.input('tokens', 'T', 1, 'i32'), weight)),
  );
}

function productCase(format: TensorFormat, cols: number, rows: number, T: number): TestCase {
  const weight = testWeight('w', format, [cols, rows], format.id + cols + rows);
  const x = testValues(T * cols, T + 1);
  return testCase([weight], [{ dims: dims(T), inputs: { x } }], (g) =>
    g.output('out', g.matmul(g.input('x', 'T', cols), weight)),
  );
}

/** Tokens of a product: one, few, an odd number, more than any tile. */
const PRODUCT_TOKENS = [1, 2, 5, 67];

const productCases = WEIGHT_FORMATS.flatMap((format) =>
  rowLengths(format).flatMap((cols) => PRODUCT_TOKENS.map((T) => ({ format, name: format.name, cols, T }))),
);

/** Rows of very different size and rows of zeros, which a scale a row must survive. */
function unevenCase(format: TensorFormat): TestCase {
  const weight = testWeight('w', format, [512, 21], 5);
  const x = testValues(4 * 512, 6);
  x.forEach((value, i) => {
    x[i] = value * [1e-6, 0, 1e4, 1][Math.floor(i / 512)];
  });
  // One outlier sets the scale of its group.
  x[3 * 512 + 17] = 300;
  return testCase([weight], [{ dims: dims(4), inputs: { x } }], (g) =>
    g.output('out', g.matmul(g.input('x', 'T', 512), weight)),
  );
}

/** Product of the middle columns of a wider value, and of a fused product's second part. */
function viewCase(format: TensorFormat, T: number): TestCase {
  const first = testWeight('fused', format, [256, 320], 7);
  const second = testWeight('w', format, [256, 19], 8);
  const x = testValues(T * 512, 9);
  return testCase([first, second], [{ dims: dims(T), inputs: { x } }], (g) => {
    const input = g.input('x', 'T', 512);
    g.output('direct', g.matmul(g.slice(input, 128, 256), second));
    g.output('chained', g.matmul(g.slice(g.matmul(g.slice(input, 256, 256), first), 64, 256), second));
  });
}

function normCase(cols: number, format: TensorFormat, T: number, epsilon: number, scale: number): TestCase {
  const weight = testWeight('norm', format, [cols, 1], cols);
  const x = testValues(T * 2 * cols, cols + T, scale);
  x.fill(0, 0, 2 * cols);
  return testCase([weight], [{ dims: dims(T), inputs: { x } }], (g) => {
    const input = g.input('x', 'T', 2 * cols);
    g.output('out', g.rmsNorm(g.slice(input, cols, cols), weight, epsilon));
  });
}

const NORMS = [
  ['F32', 512, 1, 1e-5, 1],
  ['F32', 45, 6, 1e-5, 1],
  ['F16', 45, 3, 1e-5, 100],
  ['BF16', 96, 3, 1e-5, 1e-3],
  ['F32', 576, 3, 1e-6, 1e-4],
] as const;

/** Sizes of rope: columns of a head, rotated ones, heads, tokens. */
const ROPES: readonly (readonly [size: number, rotated: number, heads: number, T: number])[] = [
  [64, 64, 3, 5],
  [96, 96, 2, 1],
  [96, 48, 2, 4],
  [10, 6, 1, 3],
];

function ropeCase(style: 'neox' | 'norm', [size, rotated, heads, T]: (typeof ROPES)[number]): TestCase {
  const angles = testValues((T * rotated) / 2, 3);
  const cols = size * heads;
  const inputs = { x: testValues(T * (cols + 8), 4), cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
  return testCase([], [{ dims: dims(T), inputs }], (g) => {
    const x = g.slice(g.input('x', 'T', cols + 8), 8, cols);
    const cos = g.input('cos', 'T', rotated / 2);
    const sin = g.input('sin', 'T', rotated / 2);
    g.output('out', g.rope({ x, cos, sin, heads, style }));
  });
}

/** A graph of two inputs side by side in one value [T, 2 * cols]. */
function pairCase(
  cols: number,
  T: number,
  scale: number,
  build: (g: GraphBuilder, a: Value, b: Value) => Value,
): TestCase {
  const x = testValues(T * 2 * cols, cols, scale);
  return testCase([], [{ dims: dims(T), inputs: { x } }], (g) => {
    const input = g.input('x', 'T', 2 * cols);
    g.output('out', build(g, g.slice(input, 0, cols), g.slice(input, cols, cols)));
  });
}

const elementCases: readonly NamedCase[] = [
  ['swiglu: 45 columns', () => pairCase(45, 3, 1, (g, a, b) => g.swiglu(a, b))],
  ['swiglu: gates from -300 to 300', () => pairCase(512, 2, 100, (g, a, b) => g.swiglu(a, b))],
  ['add: 45 columns', () => pairCase(45, 3, 1, (g, a, b) => g.add(a, b))],
  ['add: a value to itself', () => pairCase(64, 1, 1, (g, a) => g.add(a, a))],
  ['add_bias: 1 token', () => biasCase(1)],
  ['add_bias: 5 tokens', () => biasCase(5)],
  ['rows: chosen twice, last first', rowsCase],
];

function biasCase(T: number): TestCase {
  const bias = testWeight('bias', FORMATS.F32, [45, 1], 2);
  return testCase([bias], [{ dims: dims(T), inputs: { x: testValues(T * 45, T) } }], (g) =>
    g.output('out', g.addBias(g.input('x', 'T', 45), bias)),
  );
}

function rowsCase(): TestCase {
  const inputs = { x: testValues(6 * 20, 1), select: Int32Array.of(5, 0, 5, 2) };
  return testCase([], [{ dims: dims(6, 4), inputs }], (g) =>
    g.output('out', g.rows(g.input('x', 'T', 20), g.input('select', 'S', 1, 'i32'))),
  );
}

/** Targets of the loss cases: the first and the last token among them. */
const TARGETS = Int32Array.of(0, 999, 500, 123, 7);

function lossCase(scale: number): TestCase {
  const inputs = { logits: testValues(5 * 1000, 3, scale), targets: TARGETS };
  inputs.logits[1000 + 77] = inputs.logits[1000 + 901] = 9 * scale; // equal largest: the first counts
  return testCase([], [{ dims: dims(5, 5), inputs }], (g) =>
    g.output('out', g.loss(g.input('logits', 'S', 1000), g.input('targets', 'S', 1, 'i32'))),
  );
}

function divergenceCase(scale: number, distance: number): TestCase {
  const base = testValues(5 * 1000, 3, scale);
  const noise = testValues(5 * 1000, 4, distance);
  // A constant a row changes nothing.
  const logits = base.map((value, i) => value + noise[i] + Math.floor(i / 1000));
  return testCase([], [{ dims: dims(5, 5), inputs: { logits, base, targets: TARGETS } }], (g) => {
    const rows = [g.input('logits', 'S', 1000), g.input('base', 'S', 1000)] as const;
    g.output('out', g.divergence(...rows, g.input('targets', 'S', 1, 'i32')));
  });
}

const likelihoodCases: readonly NamedCase[] = [
  ['loss: ordinary logits', () => lossCase(1)],
  ['loss: sharp logits', () => lossCase(30)],
  ['divergence: close distributions', () => divergenceCase(3, 0.01)],
  ['divergence: far distributions', () => divergenceCase(3, 3)],
];

/** Sums of squares at a product's input, over two runs. The product itself is not compared. */
function sumsCase(): TestCase {
  const weight = testWeight('w', FORMATS.F32, [64, 5], 1);
  const x = testValues(67 * 96, 5);
  const runs = [
    { dims: dims(67), inputs: { x } },
    { dims: dims(1, 0, 67), inputs: { x: x.subarray(0, 96) } },
  ];
  // The product is no output: only the sums are compared.
  const one = testCase([weight], runs, (g) => {
    g.matmul(g.slice(g.input('x', 'T', 96), 32, 64), weight);
  });
  return { ...one, graph: withSquareSums(one.graph, () => true) };
}

/** Values of the output `out` of the last run. */
async function outputOf(backend: Backend, one: TestCase): Promise<Float64Array> {
  const found = (await runCase(backend, one)).get('out');
  if (!found) throw new Error('the case has no output `out`');
  return found.values;
}

/** @param make opens the backend under test. */
export function backendCases(name: string, make: () => Promise<Backend>, tolerances: Tolerances): void {
  const reference = referenceBackend();
  let backend = reference;
  beforeAll(async () => {
    backend = await make();
  });
  afterAll(() => backend.close());

  const compare = async (one: TestCase, tolerance: number): Promise<void> => {
    const error = largestError(await runCase(backend, one), await runCase(reference, one));
    expect(error).toBeLessThanOrEqual(tolerance);
  };
  const each = (cases: readonly NamedCase[], tolerance: number): void => {
    test.each(cases)('%s', (_, build) => compare(build(), tolerance));
  };
  const productTolerance = ({ kind }: TensorFormat): number =>
    kind === 'quantized' ? tolerances.quantized : tolerances.rounding;

  describe(`${name}: operations equal the reference backend's`, () => {
    test.each(WEIGHT_FORMATS)('embed: rows of $name', (format) =>
      compare(embedCase(format), tolerances.rounding),
    );
    test.each(productCases)('matmul: $name, rows of $cols, $T tokens', ({ format, cols, T }) =>
      compare(productCase(format, cols, 37, T), productTolerance(format)),
    );
    test.each(WEIGHT_FORMATS)('matmul: $name, tokens of very different size', (format) =>
      compare(unevenCase(format), productTolerance(format)),
    );
    test.each(WEIGHT_FORMATS)('matmul: $name, of views of wider values', async (format) => {
      await compare(viewCase(format, 1), productTolerance(format));
      await compare(viewCase(format, 9), productTolerance(format));
    });
    test.each(NORMS)(
      'rms_norm: %s, %d columns, %d tokens, epsilon %d, inputs about %d',
      (format, ...numbers) => {
        const [cols, T, epsilon, scale] = numbers;
        return compare(normCase(cols, FORMATS[format], T, epsilon, scale), tolerances.rounding);
      },
    );
    for (const style of ['neox', 'norm'] as const) {
      test.each(ROPES)(`rope: ${style}, heads of %d, %d rotated, %d heads, %d tokens`, (...sizes) =>
        compare(ropeCase(style, sizes), tolerances.rounding),
      );
    }
    each(elementCases, tolerances.rounding);
    each(likelihoodCases, tolerances.rounding);
    test('square_sum: sums of two runs add up', () => compare(sumsCase(), tolerances.sums));
    for (const type of CACHE_TYPES) {
      const tolerance = type === 'q8_0' ? tolerances.q8Cache : tolerances.rounding;
      each([...attentionCases(type), ...spanCases(type)], tolerance);
    }
    each(layerCases(), tolerances.rounding);
  });
  bufferCases(name, () => backend);
}

/** What holds of buffers and runs in every backend, exactly; part of `backendCases`. */
export function bufferCases(name: string, open: () => Backend): void {
  describe(`${name}: buffers and runs`, () => {
    test('fresh buffers are zero, writes land where they say, freed bytes are given back', async () => {
      const backend = open();
      const before = backend.used;
      const buffer = backend.alloc(1000, 'test');
      expect([...(await backend.read(buffer, 0, 1000))].every((byte) => byte === 0)).toBe(true);
      backend.write(buffer, 3, Uint8Array.of(1, 2, 3));
      expect([...(await backend.read(buffer, 2, 5))]).toEqual([0, 1, 2, 3, 0]);
      expect(backend.used).toBeGreaterThanOrEqual(before + 1000);
      backend.free(buffer);
      expect(backend.used).toBe(before);
      const again = backend.alloc(1000, 'test');
      expect([...(await backend.read(again, 0, 1000))].every((byte) => byte === 0)).toBe(true);
      backend.free(again);
    });

    test('steps of one run see what earlier steps wrote, and one program serves any dims', async () => {
      const backend = open();
      const g = new GraphBuilder('twice');
      const x = g.input('x', 'T', 3);
      g.output('out', g.add(x, x));
      const program = backend.compile(g.build());
      const [a, b, c] = ['a', 'b', 'c'].map((label) => backend.alloc(24, label));
      backend.write(a, 0, bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6)));
      const step = (T: number, from: Buffer, to: Buffer) => ({
        program,
        dims: dims(T),
        bind: new Map([
          ['x', from],
          ['out', to],
        ]),
      });
      await backend.run([step(2, a, b), step(1, b, c)]);
      expect([...(await readF32(backend, b, 6))]).toEqual([2, 4, 6, 8, 10, 12]);
      expect([...(await readF32(backend, c, 6))]).toEqual([4, 8, 12, 0, 0, 0]);
      for (const buffer of [a, b, c]) backend.free(buffer);
    });

    test('a copy takes bytes to another buffer, or within one where both ranges overlap', async () => {
      const backend = open();
      const [a, b] = ['a', 'b'].map((label) => backend.alloc(8, label));
      backend.write(a, 0, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
      backend.copy(a, 2, b, 5, 3);
      expect([...(await backend.read(b, 0, 8))]).toEqual([0, 0, 0, 0, 0, 3, 4, 5]);
      backend.copy(a, 0, a, 2, 5);
      expect([...(await backend.read(a, 0, 8))]).toEqual([1, 2, 1, 2, 3, 4, 5, 8]);
      expect(() => backend.copy(a, 4, b, 0, 5)).toThrow('bytes 4 to 9 of a buffer of 8');
      for (const buffer of [a, b]) backend.free(buffer);
    });

    test('spans that are not the tokens of the run are refused', async () => {
      const backend = open();
      const g = new GraphBuilder('twice');
      const x = g.input('x', 'T', 1);
      g.output('out', g.add(x, x));
      const program = backend.compile(g.build());
      const bind = new Map(['x', 'out'].map((name) => [name, backend.alloc(12, name)]));
      const spans = [{ rows: 2, past: 0, start: 0 }];
      const run = backend.run([{ program, dims: { T: 3, S: 0, past: 0, spans }, bind }]);
      await expect(run).rejects.toThrow('twice: the spans have 2 tokens, the run 3');
      for (const buffer of bind.values()) backend.free(buffer);
    });

    test.each(CACHE_TYPES.flatMap(splitCases))(
      'sequences side by side give the bits that each gives alone: %s',
      async (_, make) => {
        const { together, parts } = make();
        const out = await outputOf(open(), together);
        expect(parts.length).toBeGreaterThan(0);
        for (const { alone, row, rows } of parts) {
          const own = await outputOf(open(), alone);
          const cols = own.length / rows;
          expect(own).toEqual(out.slice(row * cols, (row + rows) * cols));
        }
      },
    );

    test('a step that lacks a buffer is refused with its name', async () => {
      const backend = open();
      const g = new GraphBuilder('twice');
      const x = g.input('x', 'T', 3);
      g.output('out', g.add(x, x));
      const program = backend.compile(g.build());
      const out = backend.alloc(12, 'out');
      const bind = new Map([['out', out]]);
      await expect(backend.run([{ program, dims: dims(1), bind }])).rejects.toThrow('x');
      backend.free(out);
    });
  });
}
