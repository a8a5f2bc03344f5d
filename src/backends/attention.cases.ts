/** Cases of the backend suite that keep keys and values: attention over caches, and a whole layer. */
import type { AttentionAlgorithm, CacheType } from '../graph/index.ts';
import { FORMATS } from '../quants/index.ts';
import {
  dims,
  dimsOf,
  type NamedCase,
  type TestCase,
  testCase,
  testValues,
  testWeight,
} from './run-graph.cases.ts';

const ATTENTION = ['eager', 'flash'] as const satisfies readonly AttentionAlgorithm[];

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
  algorithm: AttentionAlgorithm,
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

/** Runs of several sequences: [tokens, positions before, row at which the region begins]. */
type SpanRuns = readonly (readonly (readonly [rows: number, past: number, start: number])[])[];

interface SpanSizes extends Omit<AttentionSizes, 'past' | 'T'> {
  readonly runs: SpanRuns;
}

/** Regions in any order, with gaps; prompts beside single tokens; sequences that miss a run. */
const SPAN_SIZES: readonly SpanSizes[] = [
  { heads: 4, kvHeads: 4, size: 64, window: 0, runs: [[[1, 0, 0]], [[1, 0, 7]]] },
  {
    heads: 6,
    kvHeads: 2,
    size: 64,
    window: 0,
    runs: [
      [
        [40, 0, 100],
        [3, 0, 0],
        [9, 0, 200],
      ],
      [
        [1, 3, 0],
        [1, 40, 100],
        [1, 9, 200],
      ],
    ],
  },
  {
    heads: 4,
    kvHeads: 2,
    size: 80,
    window: 7,
    runs: [
      [
        [33, 0, 50],
        [12, 0, 3],
      ],
      [
        [1, 12, 3],
        [70, 0, 120],
        [5, 33, 50],
      ],
    ],
  },
  {
    heads: 2,
    kvHeads: 2,
    size: 96,
    window: 0,
    runs: [
      [[130, 0, 0]],
      [[20, 0, 140]],
      [
        [1, 130, 0],
        [2, 20, 140],
        [1, 0, 200],
      ],
    ],
  },
];

function cachesFit(type: CacheType, { kvHeads, size }: { kvHeads: number; size: number }): boolean {
  return type !== 'q8_0' || (kvHeads * size) % 32 === 0;
}

/** Attention of several sequences: the same graph as that of one. */
function spansCase(type: CacheType, algorithm: AttentionAlgorithm, sizes: SpanSizes): TestCase {
  const { graph } = attentionCase(type, algorithm, { ...sizes, past: 0, T: 1 });
  const width = (sizes.heads + 2 * sizes.kvHeads) * sizes.size;
  const runs = sizes.runs.map((run, i) => {
    const dims = dimsOf(...run.map(([rows, past, start]) => ({ rows, past, start })));
    return { dims, inputs: { qkv: testValues(dims.T * width, i + 1, 2) } };
  });
  return { graph, weights: [], runs };
}

/** Attention of several sequences in a run, by both algorithms. */
export function spanCases(type: CacheType): NamedCase[] {
  return SPAN_SIZES.filter((sizes) => cachesFit(type, sizes)).flatMap((sizes) =>
    ATTENTION.map((algorithm): NamedCase => {
      const { heads, kvHeads, size, window, runs } = sizes;
      const last = runs[runs.length - 1].map(([rows, past]) => `${rows} after ${past}`).join(', ');
      return [
        `attention: ${algorithm}, ${type} cache, ${heads}/${kvHeads} heads of ${size}, window ${window}, side by side ${last}`,
        () => spansCase(type, algorithm, sizes),
      ];
    }),
  );
}

/** A case of several sequences, and each of its sequences alone: in its own run, with a region of its own at row 0. */
export interface SplitCase {
  readonly together: TestCase;
  readonly parts: readonly { readonly alone: TestCase; readonly row: number; readonly rows: number }[];
}

/** What shows that the sequences of a case do not feel each other: the last run's rows, and who made them. */
export function splitCases(type: CacheType): (readonly [name: string, make: () => SplitCase])[] {
  return SPAN_SIZES.filter((sizes) => cachesFit(type, sizes)).flatMap((sizes) =>
    ATTENTION.map((algorithm) => {
      const make = (): SplitCase => {
        const together = spansCase(type, algorithm, sizes);
        const last = together.runs[together.runs.length - 1].dims.spans ?? [];
        return { together, parts: last.map(({ start }) => aloneOf(together, start)) };
      };
      const { heads, kvHeads, size, window } = sizes;
      return [`${algorithm}, ${type}, ${heads}/${kvHeads} heads of ${size}, window ${window}`, make] as const;
    }),
  );
}

/** The runs of the sequence whose region begins at `start`, alone. */
function aloneOf({ graph, runs }: TestCase, start: number): SplitCase['parts'][number] {
  let place = { row: 0, rows: 0 };
  const own = runs.flatMap(({ dims, inputs: { qkv } }) => {
    const spans = dims.spans ?? [];
    const at = spans.findIndex((span) => span.start === start);
    if (at < 0) return [];
    const row = spans.slice(0, at).reduce((sum, { rows }) => sum + rows, 0);
    const { rows, past } = spans[at];
    place = { row, rows };
    const width = qkv.length / dims.T;
    const part = (qkv as Float32Array).slice(row * width, (row + rows) * width);
    return [{ dims: { T: rows, S: 0, past }, inputs: { qkv: part } }];
  });
  return { alone: { graph, weights: [], runs: own }, ...place };
}

/** Attention by both algorithms in every size that the cache type can have. */
export function attentionCases(type: CacheType): NamedCase[] {
  return SIZES.filter((sizes) => cachesFit(type, sizes)).flatMap((sizes) =>
    ATTENTION.map((algorithm): NamedCase => {
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
