/**
 * A graph: what a model computes, as data. Models build it, backends run it, neither sees the other.
 *
 * Every value is a matrix [rows, cols], row by row in memory. Rows may be symbolic: `T` tokens of this run, `S` rows
 * selected from them; a run supplies both, and `past`, the positions that the caches hold already. So one compiled
 * graph serves a prompt of 512 tokens and a step of one.
 */
import type { TensorFormat } from '../quants/index.ts';

/** Rows of a value: tokens of the run, selected rows, or a fixed number. */
export type Rows = 'T' | 'S' | number;

/** What one sequence has of a run: some of its T tokens, and a region of the caches. */
export interface Span {
  /** Tokens, behind those of the spans before. */
  readonly rows: number;
  /** Positions that the sequence has before this run. */
  readonly past: number;
  /** Row of the caches at which the region begins: position p is row `start + p`. */
  readonly start: number;
}

/** The sizes of one run. */
export interface Dims {
  /** Tokens. */
  readonly T: number;
  /** Selected rows; 0 where the graph selects none. */
  readonly S: number;
  /** Positions in the caches before this run; with `spans`, the most of any of them. */
  readonly past: number;
  /** Several sequences side by side. Their rows add up to T, their regions do not overlap. Default: one of T rows. */
  readonly spans?: readonly Span[];
}

/** The spans of a run. */
export function spansOf({ T, past, spans }: Dims): readonly Span[] {
  return spans ?? [{ rows: T, past, start: 0 }];
}

/** Rows that the caches of a run need: to the end of the region that reaches furthest. */
export function cacheRows(dims: Dims): number {
  return spansOf(dims).reduce((most, { start, past, rows }) => Math.max(most, start + past + rows), 0);
}

export interface Value {
  readonly kind: 'value';
  readonly id: number;
  readonly rows: Rows;
  readonly cols: number;
  readonly type: 'f32' | 'i32';
  /** Set on a view: columns `column .. column + cols` of another value, which is no view itself. */
  readonly view?: { readonly of: Value; readonly column: number };
}

/** A tensor of the model file, bound by name; `shape` is ggml's: row length first. A GgufTensor fits. */
export interface TensorLike {
  readonly name: string;
  readonly format: TensorFormat;
  readonly shape: readonly number[];
}

export interface Weight {
  readonly kind: 'weight';
  readonly name: string;
  readonly format: TensorFormat;
  /** Row length. */
  readonly cols: number;
  readonly rows: number;
}

/** How a cache stores a row: `q8_0` in blocks of 32 along the row. */
export type CacheType = 'f32' | 'f16' | 'q8_0';

export const CACHE_TYPES = ['f32', 'f16', 'q8_0'] as const satisfies readonly CacheType[];

/** Keys or values of past positions: one row a position, row after row. Persistent between runs. */
export interface Cache {
  readonly kind: 'cache';
  readonly name: string;
  readonly type: CacheType;
  /** Width of a row: key-value heads x head size. */
  readonly cols: number;
}

/** Running sums in f64, one a column. Persistent between runs. */
export interface Sums {
  readonly kind: 'sums';
  readonly name: string;
  readonly cols: number;
}

/** `eager`: all scores of a head at once. `flash`: tiles with a running maximum. The same up to rounding. */
export type AttentionAlgorithm = 'eager' | 'flash';

/** `neox` rotates column i with column i + rotated/2, `norm` column 2i with 2i + 1. */
export type RopeStyle = 'neox' | 'norm';

/** The closed table of operations: what each one takes. Letters: H heads, K key-value heads, D head size. */
export interface OpFields {
  /** Rows of `weight` `[V, E]` by token id: tokens i32 [T, 1] -> [T, E]. */
  embed: { readonly tokens: Value; readonly weight: Weight };
  /** x / sqrt(mean(x^2) + epsilon) * weight, row by row. */
  rms_norm: { readonly x: Value; readonly weight: Weight; readonly epsilon: number };
  /** x [R, C] times the transpose of weight [N, C] -> [R, N]. */
  matmul: { readonly x: Value; readonly weight: Weight };
  /** x [R, C] + weight [1, C] in every row. */
  add_bias: { readonly x: Value; readonly weight: Weight };
  /** Rotates the first `2 * cos.cols` columns of each head: x [T, heads * D], cos and sin f32 [T, rotated/2]. */
  rope: {
    readonly x: Value;
    readonly cos: Value;
    readonly sin: Value;
    readonly heads: number;
    readonly style: RopeStyle;
  };
  /** Writes x [T, cols] to the cache: of each span the rows start + past .. start + past + rows. */
  cache_store: { readonly x: Value; readonly cache: Cache };
  /**
   * Causal attention of q [T, H * D], span by span: row t of a span over its positions 0 .. past + t of keys and
   * values [P, K * D] -> [T, H * D].
   * Head h uses key-value head floor(h * K / H). `window` w > 0 keeps only the latest w positions (own included).
   */
  attention: {
    readonly q: Value;
    readonly keys: Cache;
    readonly values: Cache;
    readonly heads: number;
    readonly kvHeads: number;
    readonly scale: number;
    readonly window: number;
    readonly algorithm: AttentionAlgorithm;
  };
  /** gate * sigmoid(gate) * up. */
  swiglu: { readonly gate: Value; readonly up: Value };
  add: { readonly a: Value; readonly b: Value };
  /** Rows of x by index: select i32 [S, 1] -> [S, C]. */
  rows: { readonly x: Value; readonly select: Value };
  /** sums[c] += x[r, c]^2 over the rows in order, in f64. No output. */
  square_sum: { readonly x: Value; readonly sums: Sums };
  /**
   * How well logits [S, V] predict targets i32 [S, 1] -> [S, 2]: negative log-likelihood (nats), id of the largest
   * logit (the first of equals).
   */
  loss: { readonly logits: Value; readonly targets: Value };
  /**
   * The loss of logits beside that of base logits, both [S, V] -> [S, 6]: nll, base nll, KL divergence
   * sum p_base (ln p_base - ln p) in nats, 1 if the largest logits are at the same id else 0, probability of the
   * target, base probability of the target. Any logits up to a constant a row will do, so log-probabilities, too.
   */
  divergence: { readonly logits: Value; readonly base: Value; readonly targets: Value };
}

export type OpName = keyof OpFields;

export type Node<O extends OpName = OpName> = {
  [K in O]: { readonly op: K; readonly output: Value | undefined } & OpFields[K];
}[O];

export interface Graph {
  /** For messages: `blk.3`. */
  readonly name: string;
  /** Values that a run binds to buffers, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  readonly weights: readonly Weight[];
  readonly states: readonly (Cache | Sums)[];
  readonly nodes: readonly Node[];
  /** Activation checkpoints: the input of each matrix product, by the name of its weight. */
  readonly taps: readonly Tap[];
}

export interface Tap {
  readonly weight: Weight;
  readonly x: Value;
}

export type Operand = Value | Weight | Cache | Sums;

/** Everything that a node names, its output excepted. */
export function operands(node: Node): Operand[] {
  return Object.entries(node)
    .filter(([key, field]) => key !== 'output' && typeof field === 'object' && field !== null)
    .map(([, field]) => field as Operand);
}

/** Values that a node reads; a view counts as the value that it is a view of. */
export function reads(node: Node): Value[] {
  return operands(node)
    .filter((operand) => operand.kind === 'value')
    .map(storage);
}

/** The value whose memory a value lies in. */
export function storage(value: Value): Value {
  return value.view?.of ?? value;
}

/** Rows of a value in a run. */
export function rowsOf(value: Value, dims: Dims): number {
  return typeof value.rows === 'number' ? value.rows : dims[value.rows];
}

/** Bytes of a row of a cache. */
export function cacheRowBytes({ type, cols }: Pick<Cache, 'type' | 'cols'>): number {
  return { f32: 4 * cols, f16: 2 * cols, q8_0: (cols / 32) * 34 }[type];
}
