/**
 * What an importance matrix says about a model: per tensor how large the inputs of its columns are, and how unevenly
 * they are spread; per layer the same in short. All numbers are of mean squares: squared activations over tokens.
 */
import { type ImportanceMatrix, meanImportance } from './types.ts';

/** A mean square above this counts as active. */
const ACTIVE_ABOVE = 1e-5;

export interface TopColumn {
  readonly column: number;
  readonly meanSquare: number;
  /** Of the sum over all columns, 0 to 1. */
  readonly share: number;
}

export interface TensorStatistics {
  readonly name: string;
  /** Undefined outside of the layers. */
  readonly layer: number | undefined;
  /** The name without layer and `.weight`: `attn_qkv`. */
  readonly kind: string;
  readonly columns: number;
  /** Tokens behind the most used matrix of the tensor. */
  readonly tokens: number;
  readonly sum: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Standard deviation over the columns. */
  readonly sigma: number;
  /** Share of columns above 1e-5. */
  readonly active: number;
  /** Of the columns' shares of the sum, in bits: log2(columns) if all are alike, 0 if one has everything. */
  readonly entropy: number;
  /** Entropy over its largest possible value: 0 to 1. */
  readonly evenness: number;
  /** Share of columns that are more than one standard deviation above the mean. */
  readonly outliers: number;
  /** Cosine similarity to the same tensor one layer before; undefined where there is none. */
  readonly cosine: number | undefined;
  /** The largest columns first. */
  readonly top: readonly TopColumn[];
}

export interface LayerStatistics {
  readonly layer: number;
  /** Over all columns of the layer's tensors. */
  readonly columns: number;
  readonly mean: number;
  readonly active: number;
  readonly evenness: number;
  readonly outliers: number;
  readonly cosine: number | undefined;
}

function cosineSimilarity(a: Float32Array, b: Float32Array): number {
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  const norms = Math.sqrt(squaresA) * Math.sqrt(squaresB);
  if (norms === 0) return squaresA === squaresB ? 1 : 0;
  return dot / norms;
}

function entropyOf(values: Float32Array, sum: number): number {
  if (sum === 0) return 0;
  return values.reduce((bits, value) => {
    const share = value / sum;
    return share > 0 ? bits - share * Math.log2(share) : bits;
  }, 0);
}

/** The `count` largest values; of equals the first. */
function largest(values: Float32Array, count: number, sum: number): TopColumn[] {
  return Array.from(values, (meanSquare, column) => ({
    column,
    meanSquare,
    share: sum > 0 ? meanSquare / sum : 0,
  }))
    .sort((a, b) => b.meanSquare - a.meanSquare || a.column - b.column)
    .slice(0, count);
}

/** Numbers of one tensor's columns. */
function spread(
  values: Float32Array,
): Omit<TensorStatistics, 'name' | 'layer' | 'kind' | 'tokens' | 'cosine' | 'top'> {
  const n = values.length;
  const sum = values.reduce((total, value) => total + value, 0);
  const mean = sum / n;
  const sigma = Math.sqrt(values.reduce((total, value) => total + (value - mean) ** 2, 0) / n);
  const share = (test: (value: number) => boolean) => values.filter(test).length / n;
  const entropy = entropyOf(values, sum);
  return {
    columns: n,
    sum,
    mean,
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
    sigma,
    active: share((value) => value > ACTIVE_ABOVE),
    entropy,
    evenness: n > 1 ? entropy / Math.log2(n) : 1,
    outliers: share((value) => value > mean + sigma),
  };
}

/** `blk.3.attn_qkv.weight` -> layer 3, `attn_qkv`; `output.weight` -> no layer, `output`. */
function place(name: string): { layer: number | undefined; kind: string } {
  const match = /^blk\.(\d+)\.(.*)$/.exec(name);
  return {
    layer: match ? Number(match[1]) : undefined,
    kind: (match?.[2] ?? name).replace(/\.weight$/, ''),
  };
}

/** Layers first, in their order and by name; then what is outside of them. */
function compare(a: TensorStatistics, b: TensorStatistics): number {
  return (
    (a.layer ?? Number.POSITIVE_INFINITY) - (b.layer ?? Number.POSITIVE_INFINITY) ||
    a.kind.localeCompare(b.kind, 'en')
  );
}

/** @param topColumns how many of the largest columns are listed for each tensor. */
export function tensorStatistics(matrix: ImportanceMatrix, topColumns = 3): TensorStatistics[] {
  const means = new Map([...matrix.entries].map(([name, entry]) => [name, meanImportance(entry)]));
  return [...matrix.entries]
    .map(([name, { counts }]): TensorStatistics => {
      const values = means.get(name) ?? new Float32Array();
      const { layer, kind } = place(name);
      const before = layer ? means.get(name.replace(/^blk\.\d+/, `blk.${layer - 1}`)) : undefined;
      const numbers = spread(values);
      return {
        name,
        layer,
        kind,
        tokens: counts.reduce((a, b) => Math.max(a, b), 0),
        ...numbers,
        cosine: before?.length === values.length ? cosineSimilarity(values, before) : undefined,
        top: largest(values, topColumns, numbers.sum),
      };
    })
    .sort(compare);
}

/** Means over the tensors of a layer; each tensor counts by its columns. */
export function layerStatistics(tensors: readonly TensorStatistics[]): LayerStatistics[] {
  const layers = new Map<number, TensorStatistics[]>();
  for (const one of tensors) {
    if (one.layer !== undefined) layers.set(one.layer, [...(layers.get(one.layer) ?? []), one]);
  }
  return [...layers].map(([layer, members]) => {
    const average = (some: readonly TensorStatistics[], pick: (one: TensorStatistics) => number) =>
      some.reduce((sum, one) => sum + one.columns * pick(one), 0) /
      some.reduce((sum, one) => sum + one.columns, 0);
    const followers = members.filter(({ cosine }) => cosine !== undefined);
    return {
      layer,
      columns: members.reduce((sum, { columns }) => sum + columns, 0),
      mean: average(members, ({ mean }) => mean),
      active: average(members, ({ active }) => active),
      evenness: average(members, ({ evenness }) => evenness),
      outliers: average(members, ({ outliers }) => outliers),
      cosine: followers.length > 0 ? average(followers, ({ cosine }) => cosine ?? 0) : undefined,
    };
  });
}
