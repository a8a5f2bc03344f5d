/** The graph: shape rules refuse what cannot be, views, and checkpoints that collect activations. */
import { describe, expect, test } from 'vitest';
import { FORMATS, type TensorFormat } from '../quants/index.ts';
import { GraphBuilder, GraphError, reads, type TensorLike, withSquareSums } from './index.ts';

const tensor = (name: string, shape: readonly number[], format: TensorFormat = FORMATS.F32): TensorLike => ({
  name,
  format,
  shape,
});

/** What each operation refuses, and how it says so. */
const REFUSED: readonly (readonly [string, (g: GraphBuilder) => unknown, string])[] = [
  [
    'a product of 31 columns with rows of 32',
    (g) => g.matmul(g.input('x', 'T', 31), tensor('w', [32, 5])),
    'w: rows are 32 wide, its input has 31 columns',
  ],
  [
    'a weight of three dimensions',
    (g) => g.matmul(g.input('x', 'T', 32), tensor('w', [32, 5, 2])),
    'w: 3 dimensions, 2 are allowed',
  ],
  [
    'tokens that are floats',
    (g) => g.embed(g.input('tokens', 'T', 1), tensor('w', [32, 5])),
    'tokens: i32 [rows, 1] wanted, f32 [T, 1] found',
  ],
  [
    'a norm of another width',
    (g) => g.rmsNorm(g.input('x', 'T', 32), tensor('w', [31]), 1e-5),
    'w: a norm wants 32 plain floats, found F32 [31, 1]',
  ],
  [
    'a quantized norm',
    (g) => g.rmsNorm(g.input('x', 'T', 32), tensor('w', [32], FORMATS.Q8_0), 1e-5),
    'w: a norm wants 32 plain floats, found Q8_0 [32, 1]',
  ],
  [
    'a bias of two rows',
    (g) => g.addBias(g.input('x', 'T', 32), tensor('w', [32, 2])),
    'w: a bias wants 32 plain floats, found F32 [32, 2]',
  ],
  [
    'a sum of unequal shapes',
    (g) => g.add(g.input('x', 'T', 32), g.input('y', 'S', 32)),
    'add: [T, 32] and [S, 32] differ',
  ],
  [
    'a gate of another width than up',
    (g) => g.swiglu(g.input('x', 'T', 32), g.input('y', 'T', 31)),
    'swiglu: [T, 32] and [T, 31] differ',
  ],
  [
    'a rotation of more columns than a head has',
    (g) => {
      const angles = { cos: g.input('cos', 'T', 9), sin: g.input('sin', 'T', 9) };
      return g.rope({ x: g.input('x', 'T', 32), heads: 2, style: 'neox', ...angles });
    },
    'rope: 18 rotated columns in heads of 16',
  ],
  [
    'heads that do not divide the columns',
    (g) => {
      const angles = { cos: g.input('cos', 'T', 2), sin: g.input('sin', 'T', 2) };
      return g.rope({ x: g.input('x', 'T', 32), heads: 5, style: 'norm', ...angles });
    },
    'rope: 32 columns are not 5 heads',
  ],
  [
    'a cache of another width',
    (g) => g.cacheStore(g.input('x', 'T', 32), g.cache('keys', 'f32', 16)),
    'keys: 32 columns for rows of 16',
  ],
  [
    'a q8_0 cache whose rows are no whole blocks',
    (g) => g.cacheStore(g.input('x', 'T', 48), g.cache('keys', 'q8_0', 48)),
    'keys: q8_0 wants rows of 32 columns',
  ],
  [
    'key-value heads that do not divide the heads',
    (g) => attend(g, 32, 4, 3),
    '3 key-value heads do not divide 4',
  ],
  [
    'keys of another width than the heads ask for',
    (g) => attend(g, 32, 4, 4),
    'keys: 16 columns for 4 heads of 8',
  ],
  [
    'losses of rows without targets',
    (g) => g.loss(g.input('x', 'S', 32), g.input('y', 'S', 2, 'i32')),
    'targets: i32 [rows, 1] wanted, i32 [S, 2] found',
  ],
  [
    'base logits of another vocabulary',
    (g) => g.divergence(g.input('x', 'S', 32), g.input('b', 'S', 31), g.input('y', 'S', 1, 'i32')),
    'divergence: [S, 32] and [S, 31] differ',
  ],
  [
    'a view beyond the columns',
    (g) => g.slice(g.input('x', 'T', 32), 20, 13),
    'test: columns 20 to 33 of 32',
  ],
  [
    'an output that is a view',
    (g) => g.output('out', g.slice(g.input('x', 'T', 32), 0, 8)),
    'test: output out is a view',
  ],
];

function attend(g: GraphBuilder, cols: number, heads: number, kvHeads: number): unknown {
  const [keys, values] = [g.cache('keys', 'f32', 16), g.cache('values', 'f32', 16)];
  const options = { scale: 1, window: 0, algorithm: 'eager' } as const;
  return g.attention({ q: g.input('q', 'T', cols), keys, values, heads, kvHeads, ...options });
}

describe('a graph refuses', () => {
  test.each(REFUSED)('%s', (_, build, message) => {
    const g = new GraphBuilder('test');
    expect(() => build(g)).toThrow(GraphError);
    expect(() => build(new GraphBuilder('test'))).toThrow(message);
  });
});

test('a view of a view is a view of the first value, at the sum of the columns', () => {
  const g = new GraphBuilder('test');
  const x = g.input('x', 'T', 32);
  expect(g.slice(g.slice(x, 8, 20), 5, 3)).toMatchObject({ cols: 3, view: { of: x, column: 13 } });
});

/** x [T, 8] -> w1 -> w2. */
function twoProducts() {
  const g = new GraphBuilder('test');
  const x = g.input('x', 'T', 8);
  const y = g.matmul(x, tensor('w1.weight', [8, 6]));
  g.output('out', g.matmul(g.slice(y, 2, 4), tensor('w2.weight', [4, 3])));
  return { graph: g.build(), x, y };
}

test('the input of every product is a checkpoint, by the name of its weight', () => {
  const { graph, x, y } = twoProducts();
  expect(graph.taps.map(({ weight }) => weight.name)).toEqual(['w1.weight', 'w2.weight']);
  expect(graph.taps[0].x).toBe(x);
  expect(graph.taps[1].x.view?.of).toBe(y);
});

test('withSquareSums puts a collection before each chosen product and changes nothing else', () => {
  const { graph } = twoProducts();
  const collecting = withSquareSums(graph, ({ weight }) => weight.name === 'w2.weight');
  expect(graph.nodes.map(({ op }) => op)).toEqual(['matmul', 'matmul']);
  expect(collecting.nodes.map(({ op }) => op)).toEqual(['matmul', 'square_sum', 'matmul']);
  expect(collecting.states).toEqual([{ kind: 'sums', name: 'w2.weight.in_sum2', cols: 4 }]);
  expect(collecting.nodes.filter(({ op }) => op === 'matmul')).toEqual(graph.nodes);
  expect(reads(collecting.nodes[1])).toEqual(reads(graph.nodes[1]));
});

test('withSquareSums of nothing is the same graph', () => {
  const { graph } = twoProducts();
  expect(withSquareSums(graph, () => false)).toEqual(graph);
});
