/** Problems of attention for tests and benchmarks of its kernels: random caches, a run of spans, the definition in f64. */
import { normal, sample } from '../../../../test/random.ts';
import { f32ToF16 } from '../../../core/index.ts';
import { type CacheType, cacheRowBytes } from '../../../graph/index.ts';
import { decode, FORMATS } from '../../../quants/index.ts';
import { CACHE_F16, CACHE_F32, CACHE_Q8_0 } from '../../wasm/kernels/cache-types.as.ts';
import type { KernelBench } from '../testing.cases.ts';

/** Tokens of a sequence after `past` others; its region of the caches begins at row `start`. */
export interface ProblemSpan {
  readonly rows: number;
  readonly past: number;
  readonly start: number;
}

/** H heads of D columns on K key-value heads. */
export interface Problem {
  readonly H: number;
  readonly K: number;
  readonly D: number;
  readonly spans: readonly ProblemSpan[];
  readonly window?: number;
  readonly keys?: CacheType;
  readonly values?: CacheType;
  /** Changes the random numbers. */
  readonly seed?: number;
}

const FORMAT_OF = { f32: FORMATS.F32, f16: FORMATS.F16, q8_0: FORMATS.Q8_0 } as const;
const TYPES = { f32: CACHE_F32, f16: CACHE_F16, q8_0: CACHE_Q8_0 } as const;
/** Columns between the queries of one row and the next, as in a fused product. */
const GAP = 12;

interface CacheData {
  readonly bytes: Uint8Array;
  /** As f32, by the format's plain code. */
  readonly decoded: Float32Array;
  readonly rowBytes: number;
}

/** Normally distributed rows, rounded to the cache's type. */
function cacheData(type: CacheType, rows: number, cols: number, seed: number): CacheData {
  const rowBytes = cacheRowBytes({ type, cols });
  const numbers = sample(rows * cols, normal(seed));
  const bytes = new Uint8Array(rows * rowBytes);
  const view = new DataView(bytes.buffer);
  if (type === 'f32') new Float32Array(bytes.buffer).set(numbers);
  if (type === 'f16') {
    numbers.forEach((x, i) => {
      view.setUint16(2 * i, f32ToF16(x), true);
    });
  }
  if (type === 'q8_0') {
    for (let block = 0; block < bytes.length; block += 34) {
      view.setUint16(block, f32ToF16(0.02), true);
      for (let i = 0; i < 32; i++) {
        const x = numbers[(block / 34) * 32 + i];
        view.setInt8(block + 2 + i, Math.max(-127, Math.min(127, Math.round(x * 50))));
      }
    }
  }
  return { bytes, decoded: decode(FORMAT_OF[type], bytes, rows * cols), rowBytes };
}

export interface Prepared {
  readonly problem: Problem;
  readonly tokens: number;
  readonly queries: Float32Array;
  readonly keys: CacheData;
  readonly values: CacheData;
}

export function prepare(problem: Problem): Prepared {
  const { H, K, D, spans, keys = 'f32', values = keys, seed = 1 } = problem;
  const tokens = spans.reduce((sum, { rows }) => sum + rows, 0);
  const rows = Math.max(...spans.map(({ start, past, rows }) => start + past + rows));
  return {
    problem,
    tokens,
    queries: sample(tokens * (H * D + GAP), normal(seed), 1.5),
    keys: cacheData(keys, rows, K * D, seed + 1),
    values: cacheData(values, rows, K * D, seed + 2),
  };
}

/** The arguments that all kernels of attention share, with everything in the bench's memory. */
export function argumentsOf(bench: KernelBench, prepared: Prepared, most: number) {
  const { problem, tokens, queries, keys, values } = prepared;
  const { H, K, D, spans, window = 0, keys: keyType = 'f32', values: valueType = keyType } = problem;
  let first = 0;
  const table = spans.flatMap(({ rows, past, start }) => {
    first += rows;
    return [rows, past, start, first - rows];
  });
  return {
    q: bench.put(queries),
    qStride: 4 * (H * D + GAP),
    out: bench.alloc(4 * tokens * H * D),
    outStride: 4 * H * D,
    keys: bench.put(keys.bytes),
    keyType: TYPES[keyType],
    keyBytes: keys.rowBytes,
    values: bench.put(values.bytes),
    valueType: TYPES[valueType],
    valueBytes: values.rowBytes,
    heads: H,
    kvHeads: K,
    size: D,
    window,
    scale: 1 / Math.sqrt(D),
    most,
    span: bench.put(Int32Array.from(table)),
    spans: spans.length,
  };
}

/** The definition, in f64: [tokens, H * D]. */
export function plainAttention({ problem, tokens, queries, keys, values }: Prepared): Float64Array {
  const { H, K, D, spans, window = 0 } = problem;
  const out = new Float64Array(tokens * H * D);
  let t = 0;
  for (const { rows, past, start } of spans) {
    for (let own = 0; own < rows; own++, t++) {
      for (let h = 0; h < H; h++) {
        const column = Math.floor((h * K) / H) * D;
        const from = window > 0 ? Math.max(0, past + own - window + 1) : 0;
        const scores: number[] = [];
        for (let p = from; p <= past + own; p++) {
          let sum = 0;
          for (let i = 0; i < D; i++) {
            sum += queries[t * (H * D + GAP) + h * D + i] * keys.decoded[(start + p) * K * D + column + i];
          }
          scores.push(sum / Math.sqrt(D));
        }
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((a, b) => a + b);
        weights.forEach((weight, i) => {
          for (let j = 0; j < D; j++) {
            out[(t * H + h) * D + j] +=
              (weight / total) * values.decoded[(start + from + i) * K * D + column + j];
          }
        });
      }
    }
  }
  return out;
}

/** Norm of the difference over the norm of `b`. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}
