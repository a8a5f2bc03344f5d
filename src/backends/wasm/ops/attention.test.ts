import { describe, expect, test } from 'vitest';
import { normal, sample } from '../../../../test/random.ts';
import {
  type AttentionAlgorithm,
  type CacheType,
  cacheRowBytes,
  GraphBuilder,
} from '../../../graph/index.ts';
import { decode, FORMATS } from '../../../quants/index.ts';
import { lowerCacheStore } from '../../tape/ops/cache.ts';
import { Bench, type Placed } from '../testing.cases.ts';
import { lowerAttention } from './attention.ts';

/** T query positions after `past` others; H heads of D columns, K key-value heads. */
interface Problem {
  readonly T: number;
  readonly past: number;
  readonly H: number;
  readonly K: number;
  readonly D: number;
  readonly window?: number;
  readonly keyType?: CacheType;
  readonly valueType?: CacheType;
}

const FORMAT_OF = { f32: FORMATS.F32, f16: FORMATS.F16, q8_0: FORMATS.Q8_0 } as const;
/** Columns between the queries of one row and the next, as in a fused product. */
const GAP = 12;

interface Run {
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  readonly values: Float32Array;
  readonly out: Float32Array;
}

/** Stores P random keys and values and attends to them; caches come back decoded by the formats' plain code. */
function attend(problem: Problem, algorithm: AttentionAlgorithm): Run {
  const { T, past, H, K, D, window = 0, keyType = 'f32', valueType = keyType } = problem;
  const bench = new Bench();
  const builder = new GraphBuilder('test');
  const both = builder.input('both', 'T', H * D + GAP);
  const x = builder.input('x', 'T', K * D);
  const keys = builder.cache('keys', keyType, K * D);
  const values = builder.cache('values', valueType, K * D);
  builder.cacheStore(x, keys);
  builder.cacheStore(x, values);
  const q = builder.slice(both, 0, H * D);
  const scale = 1 / Math.sqrt(D);
  const out = builder.attention({
    q,
    keys,
    values,
    heads: H,
    kvHeads: K,
    scale,
    window,
    algorithm,
  });
  const P = past + T;
  const queries = sample(T * (H * D + GAP), normal(1), 1.5);
  const outAt = bench.alloc(4 * T * H * D);
  const caches = [keys, values].map((cache, i) => {
    const bytes = P * cacheRowBytes(cache);
    const address = bench.alloc(bytes);
    const rows = bench.put(sample(P * K * D, normal(2 + i)));
    const places: Placed[] = [
      [x, { address: rows, stride: 4 * K * D }],
      [cache, { address, stride: 0 }],
    ];
    const node = { op: 'cache_store', output: undefined, x, cache } as const;
    const context = bench.context({ T: P, S: 0, past: 0 }, places);
    for (const command of lowerCacheStore(node, context)) bench.run(command);
    return { cache, address, decoded: decode(FORMAT_OF[cache.type], bench.u8(address, bytes), P * K * D) };
  });
  const places: Placed[] = [
    [q, { address: bench.put(queries), stride: 4 * (H * D + GAP) }],
    [out, { address: outAt, stride: 4 * H * D }],
    ...caches.map(({ cache, address }): Placed => [cache, { address, stride: 0 }]),
  ];
  const node = builder.build().nodes[2];
  if (node.op !== 'attention') throw new Error(node.op);
  for (const command of lowerAttention(node, bench.context({ T, S: 0, past }, places))) bench.run(command);
  const [{ decoded: keyRows }, { decoded: valueRows }] = caches;
  return { queries, keys: keyRows, values: valueRows, out: bench.f32(outAt, T * H * D).slice() };
}

/** The definition, in f64. */
function plain({ T, past, H, K, D, window = 0 }: Problem, { queries, keys, values }: Run): Float64Array {
  const out = new Float64Array(T * H * D);
  for (let t = 0; t < T; t++) {
    for (let h = 0; h < H; h++) {
      const column = Math.floor((h * K) / H) * D;
      const from = window > 0 ? Math.max(0, past + t - window + 1) : 0;
      const scores: number[] = [];
      for (let p = from; p <= past + t; p++) {
        let sum = 0;
        for (let i = 0; i < D; i++)
          sum += queries[t * (H * D + GAP) + h * D + i] * keys[p * K * D + column + i];
        scores.push(sum / Math.sqrt(D));
      }
      const top = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - top));
      const total = weights.reduce((a, b) => a + b);
      weights.forEach((weight, i) => {
        for (let j = 0; j < D; j++) {
          out[(t * H + h) * D + j] += (weight / total) * values[(from + i) * K * D + column + j];
        }
      });
    }
  }
  return out;
}

/** Norm of the difference over the norm of `b`. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

const PROBLEMS: Record<string, Problem> = {
  'a prompt of 150 tokens, 2 heads of 96': { T: 150, past: 0, H: 2, K: 2, D: 96 },
  'one token after 300, 4 heads of 64': { T: 1, past: 300, H: 4, K: 4, D: 64, keyType: 'f16' },
  'one token after 99 over q8_0, 2 heads of 96': { T: 1, past: 99, H: 2, K: 2, D: 96, keyType: 'q8_0' },
  'one token over q8_0, heads that are no whole blocks': {
    T: 1,
    past: 40,
    H: 4,
    K: 4,
    D: 80,
    keyType: 'q8_0',
  },
  'the first token of all': { T: 1, past: 0, H: 3, K: 3, D: 16, keyType: 'f16' },
  '40 tokens after 77, 9 heads on 3': { T: 40, past: 77, H: 9, K: 3, D: 64, keyType: 'f16' },
  'one token after 65, 12 heads on 4': { T: 1, past: 65, H: 12, K: 4, D: 64, keyType: 'q8_0' },
  'a window of 50 over 200 tokens': { T: 200, past: 0, H: 4, K: 2, D: 80, window: 50, keyType: 'q8_0' },
  'a window of 33, one token after 500': { T: 1, past: 500, H: 2, K: 1, D: 128, window: 33, keyType: 'f16' },
  'a window of 1 keeps the token itself': { T: 5, past: 7, H: 2, K: 2, D: 8, window: 1 },
  'tiny heads of 8': { T: 70, past: 3, H: 4, K: 2, D: 8, keyType: 'f16' },
  'odd heads of 5 columns': { T: 33, past: 31, H: 4, K: 2, D: 5, keyType: 'f16' },
  'keys f16, values q8_0': { T: 33, past: 31, H: 4, K: 2, D: 32, keyType: 'f16', valueType: 'q8_0' },
};

describe.each(['eager', 'flash'] as const)(
  'attention, %s, against plain f64 code (1e-6 in norm)',
  (algorithm) => {
    test.each(Object.entries(PROBLEMS))('%s', (_, problem) => {
      const run = attend(problem, algorithm);
      expect(distance(run.out, plain(problem, run))).toBeLessThan(1e-6);
    });
  },
);

test.each(Object.entries(PROBLEMS))('eager and flash agree within 1e-6 in norm: %s', (_, problem) => {
  expect(distance(attend(problem, 'flash').out, attend(problem, 'eager').out)).toBeLessThan(1e-6);
});

test.each(['eager', 'flash'] as const)(
  '%s: a token has the same bits whatever comes after it in its run, however rows are cut into pieces',
  (algorithm) => {
    const shape = { past: 0, H: 6, K: 2, D: 32, keyType: 'f16' } as const;
    const whole = attend({ T: 100, ...shape }, algorithm).out;
    for (const T of [1, 2, 37, 64]) {
      expect(attend({ T, ...shape }, algorithm).out).toEqual(whole.slice(0, T * 6 * 32));
    }
  },
);

test('a NaN query, key and value make NaN of all columns of the row', () => {
  const bench = new Bench();
  const builder = new GraphBuilder('test');
  const x = builder.input('x', 'T', 8);
  const cache = builder.cache('both', 'f16', 8);
  builder.cacheStore(x, cache);
  const out = builder.attention({
    q: x,
    keys: cache,
    values: cache,
    heads: 1,
    kvHeads: 1,
    scale: 1,
    window: 0,
    algorithm: 'flash',
  });
  const outAt = bench.alloc(32);
  const places: Placed[] = [
    [x, { address: bench.put(Float32Array.of(Number.NaN, 1, 70000, 0, 0, 0, 0, 0)), stride: 32 }],
    [out, { address: outAt, stride: 32 }],
    [cache, { address: bench.alloc(16), stride: 0 }],
  ];
  const context = bench.context({ T: 1, S: 0, past: 0 }, places);
  const [store, attention] = builder.build().nodes;
  if (store.op !== 'cache_store' || attention.op !== 'attention') throw new Error('other nodes');
  for (const command of [...lowerCacheStore(store, context), ...lowerAttention(attention, context)]) {
    bench.run(command);
  }
  expect([...bench.f32(outAt, 8)]).toEqual(new Array(8).fill(Number.NaN));
});
