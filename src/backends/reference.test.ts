/** The reference backend against formulas written down once more, straight from the definitions, in f64. */
import { describe, expect, test } from 'vitest';
import { type CacheType, type GraphBuilder, type Value, withSquareSums } from '../graph/index.ts';
import { decode, FORMATS } from '../quants/index.ts';
import { bufferCases } from './backend.cases.ts';
import { referenceBackend } from './reference.ts';
import { dims, runCase, type TestCase, testCase, testValues, testWeight } from './run-graph.cases.ts';

bufferCases('reference', referenceBackend);

async function outOf(one: TestCase, name = 'out'): Promise<number[]> {
  return [...((await runCase(referenceBackend(), one)).get(name)?.values ?? [])];
}

/** Both rounded to f32: at most one rounding apart. */
function expectClose(found: readonly number[], wanted: readonly number[], tolerance = 1e-7): void {
  expect(found).toHaveLength(wanted.length);
  const size = Math.max(...wanted.map(Math.abs));
  expect(Math.max(...wanted.map((value, i) => Math.abs(value - found[i])))).toBeLessThanOrEqual(
    tolerance * size,
  );
}

const build = (
  inputs: Record<string, Float32Array | Int32Array>,
  T: number,
  S: number,
  make: (g: GraphBuilder) => Value,
) => testCase([], [{ dims: dims(T, S), inputs }], (g) => g.output('out', make(g)));

test('embed: token 2 of a table yields its third row', async () => {
  const table = testWeight('table', FORMATS.Q4_0, [64, 4]);
  const one = testCase([table], [{ dims: dims(2), inputs: { tokens: Int32Array.of(2, 0) } }], (g) =>
    g.output('out', g.embed(g.input('tokens', 'T', 1, 'i32'), table)),
  );
  const rows = decode(FORMATS.Q4_0, table.bytes, 256);
  expect(await outOf(one)).toEqual([...rows.subarray(128, 192), ...rows.subarray(0, 64)]);
});

test('embed: a token beyond the table is an error that says so', async () => {
  const table = testWeight('table', FORMATS.F32, [8, 4]);
  const one = testCase([table], [{ dims: dims(1), inputs: { tokens: Int32Array.of(4) } }], (g) =>
    g.output('out', g.embed(g.input('tokens', 'T', 1, 'i32'), table)),
  );
  await expect(outOf(one)).rejects.toThrow('table: row 4 of 4 rows');
});

test('matmul: [1 2] times the rows [3 4], [5 6], [0 1] is [11 17 2]', async () => {
  const w = { name: 'w', format: FORMATS.F32, shape: [2, 3] };
  const bytes = new Uint8Array(Float32Array.of(3, 4, 5, 6, 0, 1).buffer);
  const one = testCase([{ ...w, bytes }], [{ dims: dims(1), inputs: { x: Float32Array.of(1, 2) } }], (g) =>
    g.output('out', g.matmul(g.input('x', 'T', 2), w)),
  );
  expect(await outOf(one)).toEqual([11, 17, 2]);
});

test.each([FORMATS.F16, FORMATS.Q6_K, FORMATS.IQ2_XS])(
  'matmul: $name weights are what decode says',
  async (format) => {
    const w = testWeight('w', format, [256, 5]);
    const x = testValues(3 * 256, 1);
    const one = testCase([w], [{ dims: dims(3), inputs: { x } }], (g) =>
      g.output('out', g.matmul(g.input('x', 'T', 256), w)),
    );
    const weights = decode(format, w.bytes, 5 * 256);
    const wanted = Array.from({ length: 15 }, (_, at) => {
      const [t, n] = [Math.floor(at / 5), at % 5];
      let sum = 0;
      for (let i = 0; i < 256; i++) sum += x[256 * t + i] * weights[256 * n + i];
      return sum;
    });
    expectClose(await outOf(one), wanted);
  },
);

test('rms_norm: [3 4] over its root mean square 3.5355, times the weights 1 and 2', async () => {
  const w = { name: 'w', format: FORMATS.F32, shape: [2] };
  const bytes = new Uint8Array(Float32Array.of(1, 2).buffer);
  const one = testCase([{ ...w, bytes }], [{ dims: dims(1), inputs: { x: Float32Array.of(3, 4) } }], (g) =>
    g.output('out', g.rmsNorm(g.input('x', 'T', 2), w, 0)),
  );
  expectClose(await outOf(one), [3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5)]);
});

describe('rope: a quarter turn in pair 0, none in pair 1, the last column left alone', () => {
  const inputs = {
    x: Float32Array.of(1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60),
    cos: Float32Array.of(0, 1),
    sin: Float32Array.of(1, 0),
  };
  test.each([
    ['neox', [-3, 2, 1, 4, 5, 6, -30, 20, 10, 40, 50, 60]],
    ['norm', [-2, 1, 3, 4, 5, 6, -20, 10, 30, 40, 50, 60]],
  ] as const)('%s', async (style, wanted) => {
    const one = build(inputs, 1, 0, (g) => {
      const angles = { cos: g.input('cos', 'T', 2), sin: g.input('sin', 'T', 2) };
      return g.rope({ x: g.input('x', 'T', 12), heads: 2, style, ...angles });
    });
    expect(await outOf(one)).toEqual(wanted);
  });
});

test('swiglu: gate / (1 + exp(-gate)) * up', async () => {
  const gate = Float32Array.of(0, 1, -2, 100, -100);
  const up = Float32Array.of(5, 3, 2, 0.5, 7);
  const one = build({ gate, up }, 1, 0, (g) => g.swiglu(g.input('gate', 'T', 5), g.input('up', 'T', 5)));
  expectClose(await outOf(one), [0, 3 / (1 + Math.exp(-1)), -4 / (1 + Math.exp(2)), 50, 0]);
});

test('add, add_bias and rows', async () => {
  const w = { name: 'w', format: FORMATS.F32, shape: [2] };
  const bytes = new Uint8Array(Float32Array.of(10, 20).buffer);
  const inputs = { x: Float32Array.of(1, 2, 3, 4), select: Int32Array.of(1, 1, 0) };
  const one = testCase([{ ...w, bytes }], [{ dims: dims(2, 3), inputs }], (g) => {
    const x = g.input('x', 'T', 2);
    g.output('out', g.rows(g.add(x, g.addBias(x, w)), g.input('select', 'S', 1, 'i32')));
  });
  expect(await outOf(one)).toEqual([16, 28, 16, 28, 12, 24]);
});

test('loss: minus ln of the softmax at the target, and the first of the largest', async () => {
  const logits = Float32Array.of(1, 3, 3, 0, 0, Math.fround(Math.log(3)), 0, 0);
  const one = build({ logits, targets: Int32Array.of(0, 1) }, 0, 2, (g) =>
    g.loss(g.input('logits', 'S', 4), g.input('targets', 'S', 1, 'i32')),
  );
  const total = Math.E + 2 * Math.exp(3) + 1;
  expectClose(await outOf(one), [Math.log(total) - 1, 1, Math.log(2), 1]);
});

test('divergence: of (1/2, 1/4, 1/4) from (1/4, 1/4, 1/2)', async () => {
  const half = Math.fround(Math.log(2));
  const inputs = {
    base: Float32Array.of(half, 0, 0),
    logits: Float32Array.of(7, 7, 7 + half),
    targets: Int32Array.of(2),
  };
  const one = build(inputs, 0, 1, (g) =>
    g.divergence(g.input('logits', 'S', 3), g.input('base', 'S', 3), g.input('targets', 'S', 1, 'i32')),
  );
  // 1/2 ln 2 + 0 + 1/4 ln 1/2
  expectClose(await outOf(one), [Math.log(2), Math.log(4), Math.log(2) / 4, 0, 0.5, 0.25]);
});

/** Softmax attention as its formula says, all positions in one matrix. Head sizes D; keys, values [n, K * D]. */
function attentionFormula(
  q: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  { heads, kvHeads, size, window }: { heads: number; kvHeads: number; size: number; window: number },
  past: number,
): number[] {
  const T = q.length / (heads * size);
  const out: number[] = [];
  for (let t = 0; t < T; t++) {
    for (let head = 0; head < heads; head++) {
      const column = Math.floor((head * kvHeads) / heads) * size;
      const weights: number[] = [];
      for (let p = 0; p <= past + t; p++) {
        let score = 0;
        for (let i = 0; i < size; i++) {
          score += q[(t * heads + head) * size + i] * keys[p * kvHeads * size + column + i];
        }
        weights.push(window > 0 && past + t - p >= window ? 0 : Math.exp(score / Math.sqrt(size)));
      }
      const total = weights.reduce((a, b) => a + b, 0);
      for (let i = 0; i < size; i++) {
        out.push(
          weights.reduce((sum, w, p) => sum + (w / total) * values[p * kvHeads * size + column + i], 0),
        );
      }
    }
  }
  return out;
}

/** What caches cost: nothing in f32, half a unit of 11 bits in f16, half a code of 127 in q8_0. */
const CACHE_TOLERANCE = { f32: 1e-6, f16: 2e-3, q8_0: 2e-2 } as const satisfies Record<CacheType, number>;

const SHAPES = [
  { heads: 4, kvHeads: 4, size: 32, window: 0 },
  { heads: 6, kvHeads: 2, size: 16, window: 0 },
  { heads: 4, kvHeads: 2, size: 16, window: 5 },
  { heads: 4, kvHeads: 1, size: 32, window: 40 },
];

describe.each(['f32', 'f16', 'q8_0'] as const)(
  'attention over a %s cache is softmax(q k / sqrt D) v',
  (type) => {
    test.each(
      SHAPES.flatMap((shape) => (['eager', 'flash'] as const).map((algorithm) => ({ ...shape, algorithm }))),
    )('$algorithm, $heads/$kvHeads heads of $size, window $window', async ({ algorithm, ...shape }) => {
      const { heads, kvHeads, size, window } = shape;
      const [past, T] = [30, 40];
      const q = testValues((past + T) * heads * size, 1);
      const k = testValues((past + T) * kvHeads * size, 2);
      const v = testValues((past + T) * kvHeads * size, 3);
      const part = (x: Float32Array, from: number, to: number) => {
        const cols = x.length / (past + T);
        return x.slice(from * cols, to * cols);
      };
      const run = (from: number, to: number) => ({
        dims: dims(to - from, 0, from),
        inputs: { q: part(q, from, to), k: part(k, from, to), v: part(v, from, to) },
      });
      const one = testCase([], [run(0, past), run(past, past + T)], (g) => {
        const [keys, values] = ['keys', 'values'].map((name) => g.cache(name, type, kvHeads * size));
        g.cacheStore(g.input('k', 'T', kvHeads * size), keys);
        g.cacheStore(g.input('v', 'T', kvHeads * size), values);
        const query = g.input('q', 'T', heads * size);
        const scale = 1 / Math.sqrt(size);
        g.output('out', g.attention({ q: query, keys, values, heads, kvHeads, scale, window, algorithm }));
      });
      const wanted = attentionFormula(part(q, past, past + T), k, v, shape, past);
      expectClose(await outOf(one), wanted, CACHE_TOLERANCE[type]);
    });
  },
);

test('square_sum: a product on the way, sums of two runs are those of all rows', async () => {
  const w = testWeight('w', FORMATS.F32, [3, 2]);
  const runs = [
    { dims: dims(2), inputs: { x: Float32Array.of(1, 2, 3, 4, 5, 6) } },
    { dims: dims(1, 0, 2), inputs: { x: Float32Array.of(7, 8, 9) } },
  ];
  const one = testCase([w], runs, (g) => g.output('out', g.matmul(g.input('x', 'T', 3), w)));
  const collecting = { ...one, graph: withSquareSums(one.graph, () => true) };
  expect(await outOf(collecting, 'w.in_sum2')).toEqual([1 + 16 + 49, 4 + 25 + 64, 9 + 36 + 81]);
  expect(await outOf(collecting)).toEqual(await outOf(one));
});
