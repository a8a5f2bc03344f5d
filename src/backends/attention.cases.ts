/** Cases of the backend suite that keep keys and values: attention over caches, and a whole layer. */
import type { CacheType } from '../graph/index.ts';
import { FORMATS } from '../quants/index.ts';
import { dims, type NamedCase, type TestCase, testCase, testValues, testWeight } from './run-graph.cases.ts';

interface AttentionSizes {
  readonly heads: number;
  readonly kvHeads: number;
  /** Columns of a head. */
  readonly size: number;
  readonly window: number;
  /** Positions before the run, and tokens in it. */
  readonly past: number;
  readonly T: number;
}

const SIZES: readonly AttentionSizes[] = [
  { heads: 4, kvHeads: 4, size: 64, window: 0, past: 0, T: 1 },
  { heads: 4, kvHeads: 4, size: 96, window: 0, past: 0, T: 70 },
  { heads: 4, kvHeads: 4, size: 96, window: 0, past: 130, T: 1 },
  { heads: 6, kvHeads: 2, size: 64, window: 0, past: 37, T: 5 },
  { heads: 8, kvHeads: 1, size: 32, window: 0, past: 1, T: 33 },
  { heads: 2, kvHeads: 2, size: 128, window: 1, past: 40, T: 3 },
  { heads: 4, kvHeads: 2, size: 80, window: 7, past: 40, T: 66 },
  { heads: 4, kvHeads: 2, size: 64, window: 32, past: 31, T: 64 },
  { heads: 4, kvHeads: 2, size: 48, window: 1000, past: 90, T: 2 },
  { heads: 3, kvHeads: 1, size: 10, window: 0, past: 9, T: 3 },
];

/** Stores keys and values of a first run, then attends from a second one. Scores reach about 8 standard deviations. */
function attentionCase(
  type: CacheType,
  algorithm: 'eager' | 'flash',
  { heads, kvHeads, size, window, past, T }: AttentionSizes,
): TestCase {
  const widths = [heads * size, kvHeads * size, kvHeads * size];
  const total = widths[0] + widths[1] + widths[2];
  const run = (tokens: number, before: number) => ({
    dims: dims(tokens, 0, before),
    inputs: { qkv: testValues(tokens * total, tokens + before, 2) },
  });
  return testCase([], past === 0 ? [run(T, 0)] : [run(past, 0), run(T, past)], (g) => {
    const qkv = g.input('qkv', 'T', total);
    const keys = g.cache('keys', type, widths[1]);
    const values = g.cache('values', type, widths[2]);
    g.cacheStore(g.slice(qkv, widths[0], widths[1]), keys);
    g.cacheStore(g.slice(qkv, widths[0] + widths[1], widths[2]), values);
    const q = g.slice(qkv, 0, widths[0]);
    const scale = 1 / Math.sqrt(size);
    g.output('out', g.attention({ q, keys, values, heads, kvHeads, scale, window, algorithm }));
  });
}

/** Attention by both algorithms in every size that the cache type can have. */
export function attentionCases(type: CacheType): NamedCase[] {
  const fitting = SIZES.filter(({ kvHeads, size }) => type !== 'q8_0' || (kvHeads * size) % 32 === 0);
  return fitting.flatMap((sizes) =>
    (['eager', 'flash'] as const).map((algorithm): NamedCase => {
      const { heads, kvHeads, size, window, past, T } = sizes;
      const shape = `${heads}/${kvHeads} heads of ${size}, window ${window}, ${past} positions and ${T} tokens`;
      return [
        `attention: ${algorithm}, ${type} cache, ${shape}`,
        () => attentionCase(type, algorithm, sizes),
      ];
    }),
  );
}

/** A Phi-3 layer in F32: views, shared memory and every operation of a layer together. */
function layerCase(runs: readonly (readonly [T: number, past: number])[]): TestCase {
  const [heads, kvHeads, size, width, inner] = [4, 2, 16, 48, 80];
  const kv = kvHeads * size;
  const weights = {
    norm1: testWeight('norm1', FORMATS.F32, [width, 1], 1),
    qkv: testWeight('qkv', FORMATS.F32, [width, heads * size + 2 * kv], 2),
    out: testWeight('out', FORMATS.F32, [heads * size, width], 3),
    norm2: testWeight('norm2', FORMATS.F32, [width, 1], 4),
    up: testWeight('up', FORMATS.F32, [width, 2 * inner], 5),
    down: testWeight('down', FORMATS.F32, [inner, width], 6),
  };
  const inputsOf = (T: number, past: number) => {
    const angles = testValues((T * size) / 2, past + 1);
    return { hidden: testValues(T * width, T), cos: angles.map(Math.cos), sin: angles.map(Math.sin) };
  };
  return testCase(
    Object.values(weights),
    runs.map(([T, past]) => ({ dims: dims(T, 0, past), inputs: inputsOf(T, past) })),
    (g) => {
      const hidden = g.input('hidden', 'T', width);
      const angles = { cos: g.input('cos', 'T', size / 2), sin: g.input('sin', 'T', size / 2) };
      const [keys, values] = [g.cache('keys', 'f32', kv), g.cache('values', 'f32', kv)];
      const style = 'neox';
      const qkv = g.matmul(g.rmsNorm(hidden, weights.norm1, 1e-5), weights.qkv);
      const q = g.rope({ x: g.slice(qkv, 0, heads * size), heads, style, ...angles });
      g.cacheStore(g.rope({ x: g.slice(qkv, heads * size, kv), heads: kvHeads, style, ...angles }), keys);
      g.cacheStore(g.slice(qkv, heads * size + kv, kv), values);
      const options = { heads, kvHeads, scale: 0.25, window: 5, algorithm: 'flash' } as const;
      const middle = g.add(hidden, g.matmul(g.attention({ q, keys, values, ...options }), weights.out));
      const gateUp = g.matmul(g.rmsNorm(middle, weights.norm2, 1e-5), weights.up);
      const gated = g.swiglu(g.slice(gateUp, 0, inner), g.slice(gateUp, inner, inner));
      g.output('next', g.add(middle, g.matmul(gated, weights.down)));
    },
  );
}

export function layerCases(): NamedCase[] {
  return [
    ['a layer: one run of 9 tokens', () => layerCase([[9, 0]])],
    [
      'a layer: 20 tokens, then 1, then 7',
      () =>
        layerCase([
          [20, 0],
          [1, 20],
          [7, 21],
        ]),
    ],
  ];
}
