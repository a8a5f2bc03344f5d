/** Every operation in plain TypeScript: sums in f64, results rounded to f32 once. What other backends must equal. */
import { type Node, type OpName, type RopeStyle, type Span, spansOf, type Value } from '../../graph/index.ts';
import { ATTEND } from './attention.ts';
import { divergenceRow, lossRow } from './likelihood.ts';
import { loadCache, type Matrix, type RunMemory, storeCacheRow, weightRow } from './memory.ts';

type Compute<O extends OpName> = (node: Node<O>, memory: RunMemory) => void;

/** Fills the output row by row. */
function eachRow(node: Node, memory: RunMemory, fill: (row: number) => ArrayLike<number>): void {
  const out = outputOf(node, memory);
  for (let r = 0; r < out.rows; r++) out.row(r).set(fill(r));
}

function outputOf({ op, output }: Node, memory: RunMemory): Matrix {
  if (!output) throw new Error(`${op} has no output`);
  return memory.floats(output);
}

/** Columns that a head rotates together, for pair `i` of `pairs`. */
const PAIRS = {
  neox: (i, pairs) => [i, i + pairs],
  norm: (i) => [2 * i, 2 * i + 1],
} as const satisfies Record<RopeStyle, (i: number, pairs: number) => readonly [number, number]>;

function rotate(
  x: Float32Array,
  cos: Float32Array,
  sin: Float32Array,
  heads: number,
  style: RopeStyle,
): Float64Array {
  const out = Float64Array.from(x);
  for (let head = 0; head < heads; head++) {
    const start = (head * x.length) / heads;
    for (let i = 0; i < cos.length; i++) {
      const [a, b] = PAIRS[style](i, cos.length).map((column) => start + column);
      out[a] = x[a] * cos[i] - x[b] * sin[i];
      out[b] = x[a] * sin[i] + x[b] * cos[i];
    }
  }
  return out;
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The only row of a norm's or bias's weight. */
function vectorOf({ weight }: Node<'rms_norm' | 'add_bias'>, memory: RunMemory): Float32Array {
  return weightRow(weight, memory.bytes(weight), 0);
}

function target(targets: Value, memory: RunMemory, row: number): number {
  return memory.integers(targets).row(row)[0];
}

/** Calls `use` with each span of the run and the row of its first token. */
function eachSpan({ dims }: RunMemory, use: (span: Span, first: number) => void): void {
  let first = 0;
  for (const span of spansOf(dims)) {
    use(span, first);
    first += span.rows;
  }
}

/** Attention of the rows `first .. first + rows` over the span's region. */
function attendSpan(node: Node<'attention'>, memory: RunMemory, span: Span, first: number): void {
  const { rows, past, start } = span;
  const q = memory.floats(node.q);
  const [keys, values] = [node.keys, node.values].map((cache) =>
    loadCache(cache, memory.bytes(cache), start, past + rows),
  );
  const out = outputOf(node, memory);
  const size = q.cols / node.heads;
  for (let t = 0; t < rows; t++) {
    const to = past + t + 1;
    const from = node.window > 0 ? Math.max(0, to - node.window) : 0;
    for (let head = 0; head < node.heads; head++) {
      const column = size * Math.floor((head * node.kvHeads) / node.heads);
      const query = q.row(first + t).subarray(head * size, (head + 1) * size);
      const attended = ATTEND[node.algorithm](query, { keys, values, column, from, to }, node.scale);
      out.row(first + t).set(attended, head * size);
    }
  }
}

export const COMPUTE = {
  embed: (node, memory) => {
    const tokens = memory.integers(node.tokens);
    const bytes = memory.bytes(node.weight);
    eachRow(node, memory, (r) => weightRow(node.weight, bytes, tokens.row(r)[0]));
  },
  rms_norm: (node, memory) => {
    const x = memory.floats(node.x);
    const weight = vectorOf(node, memory);
    eachRow(node, memory, (r) => {
      const row = x.row(r);
      const scale = 1 / Math.sqrt(dot(row, row) / x.cols + node.epsilon);
      return Float64Array.from(row, (value, i) => value * scale * weight[i]);
    });
  },
  matmul: (node, memory) => {
    const x = memory.floats(node.x);
    const out = outputOf(node, memory);
    const bytes = memory.bytes(node.weight);
    for (let n = 0; n < node.weight.rows; n++) {
      const weight = weightRow(node.weight, bytes, n);
      for (let r = 0; r < x.rows; r++) out.row(r)[n] = dot(x.row(r), weight);
    }
  },
  add_bias: (node, memory) => {
    const x = memory.floats(node.x);
    const bias = vectorOf(node, memory);
    eachRow(node, memory, (r) => Float64Array.from(x.row(r), (value, i) => value + bias[i]));
  },
  rope: (node, memory) => {
    const [x, cos, sin] = [node.x, node.cos, node.sin].map((value) => memory.floats(value));
    eachRow(node, memory, (r) => rotate(x.row(r), cos.row(r), sin.row(r), node.heads, node.style));
  },
  cache_store: ({ x, cache }, memory) => {
    const source = memory.floats(x);
    const bytes = memory.bytes(cache);
    eachSpan(memory, ({ rows, past, start }, first) => {
      for (let r = 0; r < rows; r++) storeCacheRow(cache, bytes, start + past + r, source.row(first + r));
    });
  },
  attention: (node, memory) => {
    eachSpan(memory, (span, first) => attendSpan(node, memory, span, first));
  },
  swiglu: (node, memory) => {
    const [gate, up] = [node.gate, node.up].map((value) => memory.floats(value));
    eachRow(node, memory, (r) => {
      const ups = up.row(r);
      return Float64Array.from(gate.row(r), (g, i) => (g / (1 + Math.exp(-g))) * ups[i]);
    });
  },
  add: (node, memory) => {
    const [a, b] = [node.a, node.b].map((value) => memory.floats(value));
    eachRow(node, memory, (r) => {
      const others = b.row(r);
      return Float64Array.from(a.row(r), (value, i) => value + others[i]);
    });
  },
  rows: (node, memory) => {
    const x = memory.floats(node.x);
    const select = memory.integers(node.select);
    eachRow(node, memory, (r) => {
      const [index] = select.row(r);
      if (!(index >= 0 && index < x.rows)) throw new Error(`rows: row ${index} of ${x.rows}`);
      return x.row(index);
    });
  },
  square_sum: ({ x, sums }, memory) => {
    const source = memory.floats(x);
    const bytes = memory.bytes(sums);
    const totals = new Float64Array(bytes.buffer, bytes.byteOffset, sums.cols);
    for (let r = 0; r < source.rows; r++) {
      const row = source.row(r);
      for (let c = 0; c < sums.cols; c++) totals[c] += row[c] * row[c];
    }
  },
  loss: (node, memory) => {
    const logits = memory.floats(node.logits);
    eachRow(node, memory, (r) => lossRow(logits.row(r), target(node.targets, memory, r)));
  },
  divergence: (node, memory) => {
    const [logits, base] = [node.logits, node.base].map((value) => memory.floats(value));
    eachRow(node, memory, (r) => divergenceRow(logits.row(r), base.row(r), target(node.targets, memory, r)));
  },
} as const satisfies { [O in OpName]: Compute<O> };

/** Runs one node. */
export function compute(node: Node, memory: RunMemory): void {
  const run: (node: never, memory: RunMemory) => void = COMPUTE[node.op];
  run(node as never, memory);
}
