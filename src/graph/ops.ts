/**
 * The shape rules of the operations: what each one yields, and what it refuses. One line an operation; a backend
 * has a table of the same keys.
 */
import type { Cache, OpFields, OpName, Rows, Value, Weight } from './types.ts';

export interface Shape {
  readonly rows: Rows;
  readonly cols: number;
}

type Rule<O extends OpName> = (fields: OpFields[O]) => Shape | undefined;

/** A graph that cannot be: a fault of the model's code, or a tensor of a wrong shape. */
export class GraphError extends Error {}

function demand(condition: boolean, message: () => string): void {
  if (!condition) throw new GraphError(message());
}

const show = (shape: Shape): string => `[${shape.rows}, ${shape.cols}]`;

function sameShape(what: string, a: Shape, b: Shape): void {
  demand(a.rows === b.rows && a.cols === b.cols, () => `${what}: ${show(a)} and ${show(b)} differ`);
}

function column(what: string, x: Value): void {
  demand(x.type === 'i32' && x.cols === 1, () => `${what}: i32 [rows, 1] wanted, ${x.type} ${show(x)} found`);
}

function vector(what: string, weight: Weight, cols: number): void {
  demand(
    weight.rows === 1 && weight.cols === cols && weight.format.kind === 'float',
    () =>
      `${weight.name}: ${what} wants ${cols} plain floats, found ${weight.format.name} [${weight.cols}, ${weight.rows}]`,
  );
}

function heads(what: string, cols: number, count: number): number {
  demand(count > 0 && cols % count === 0, () => `${what}: ${cols} columns are not ${count} heads`);
  return cols / count;
}

function cacheFits(cache: Cache): void {
  demand(
    cache.type !== 'q8_0' || cache.cols % 32 === 0,
    () => `${cache.name}: q8_0 wants rows of 32 columns`,
  );
}

export const OPS = {
  embed: ({ tokens, weight }) => {
    column('tokens', tokens);
    return { rows: tokens.rows, cols: weight.cols };
  },
  rms_norm: ({ x, weight }) => {
    vector('a norm', weight, x.cols);
    return x;
  },
  matmul: ({ x, weight }) => {
    demand(
      x.cols === weight.cols,
      () => `${weight.name}: rows are ${weight.cols} wide, its input has ${x.cols} columns`,
    );
    return { rows: x.rows, cols: weight.rows };
  },
  add_bias: ({ x, weight }) => {
    vector('a bias', weight, x.cols);
    return x;
  },
  rope: ({ x, cos, sin, heads: count }) => {
    sameShape('rope', cos, sin);
    const size = heads('rope', x.cols, count);
    demand(2 * cos.cols <= size, () => `rope: ${2 * cos.cols} rotated columns in heads of ${size}`);
    return x;
  },
  cache_store: ({ x, cache }) => {
    cacheFits(cache);
    demand(x.cols === cache.cols, () => `${cache.name}: ${x.cols} columns for rows of ${cache.cols}`);
    return undefined;
  },
  attention: ({ q, keys, values, heads: count, kvHeads }) => {
    const size = heads('attention', q.cols, count);
    demand(count % kvHeads === 0, () => `attention: ${kvHeads} key-value heads do not divide ${count}`);
    for (const { name, cols } of [keys, values]) {
      demand(cols === kvHeads * size, () => `${name}: ${cols} columns for ${kvHeads} heads of ${size}`);
    }
    return q;
  },
  swiglu: ({ gate, up }) => {
    sameShape('swiglu', gate, up);
    return gate;
  },
  add: ({ a, b }) => {
    sameShape('add', a, b);
    return a;
  },
  rows: ({ x, select }) => {
    column('select', select);
    return { rows: select.rows, cols: x.cols };
  },
  square_sum: ({ x, sums }) => {
    demand(x.cols === sums.cols, () => `${sums.name}: ${x.cols} columns for ${sums.cols} sums`);
    return undefined;
  },
  loss: ({ logits, targets }) => {
    column('targets', targets);
    return { rows: logits.rows, cols: 2 };
  },
  divergence: ({ logits, base, targets }) => {
    column('targets', targets);
    sameShape('divergence', logits, base);
    return { rows: logits.rows, cols: 6 };
  },
} as const satisfies { [O in OpName]: Rule<O> };
