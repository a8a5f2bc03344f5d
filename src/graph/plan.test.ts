/** The memory plan: what lives at the same time never shares a byte. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Dims, type Graph, GraphBuilder, planMemory, reads, type Value, valueBytes } from './index.ts';

/** A graph of additions: each node adds two of the values before it, chosen by number. */
function additions(choices: readonly (readonly [a: number, b: number, cols: number])[]): Graph {
  const g = new GraphBuilder('random');
  const byWidth = new Map<number, Value[]>();
  const last: Value[] = [];
  for (const [a, b, cols] of choices) {
    const values = byWidth.get(cols) ?? [g.input(`x${cols}`, 'T', cols)];
    const sum = g.add(values[a % values.length], values[b % values.length]);
    byWidth.set(cols, [...values, sum]);
    last[0] = sum;
  }
  if (last[0]) g.output('out', last[0]);
  return g.build();
}

interface Placed {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** Every planned value with its bytes and its life, counted anew from the nodes. */
function placed(graph: Graph, dims: Dims): Placed[] {
  const { offsets } = planMemory(graph, dims);
  return graph.nodes.flatMap(({ output }, from): Placed[] => {
    const start = output && offsets.get(output.id);
    if (!output || start === undefined) return [];
    const readers = graph.nodes.flatMap((node, at) =>
      reads(node).some(({ id }) => id === output.id) ? [at] : [],
    );
    return [
      { id: output.id, start, end: start + valueBytes(output, dims), from, to: Math.max(from, ...readers) },
    ];
  });
}

const CHOICES = fc.array(fc.tuple(fc.nat(30), fc.nat(30), fc.integer({ min: 1, max: 6 })), { maxLength: 40 });

test('in random graphs no two values that live at once overlap, and all lie inside the workspace', () => {
  fc.assert(
    fc.property(CHOICES, fc.integer({ min: 1, max: 50 }), (choices, T) => {
      const graph = additions(choices);
      const dims = { T, S: 0, past: 0 };
      const { size } = planMemory(graph, dims);
      const all = placed(graph, dims);
      for (const one of all) {
        expect(one.end).toBeLessThanOrEqual(size);
        expect(one.start % 64).toBe(0);
        const rivals = all.filter(
          (other) => other.id !== one.id && other.from <= one.to && one.from <= other.to,
        );
        for (const other of rivals) expect(other.end <= one.start || one.end <= other.start).toBe(true);
      }
      const outputs = new Set([...graph.outputs.values()].map(({ id }) => id));
      expect(all).toHaveLength(graph.nodes.filter(({ output }) => output && !outputs.has(output.id)).length);
    }),
  );
});

test('values that live one after the other share bytes: a chain of 20 needs room for 2', () => {
  const chain = additions(Array.from({ length: 20 }, (_, i) => [i, i, 4] as const));
  expect(planMemory(chain, { T: 16, S: 0, past: 0 }).size).toBe(2 * 16 * 4 * 4);
});

test('a value seen through a view lives as long as the view', () => {
  const g = new GraphBuilder('test');
  const x = g.input('x', 'T', 8);
  const wide = g.add(x, x);
  const view = g.slice(wide, 4, 4);
  const narrow = g.add(view, view);
  g.output('out', g.add(narrow, view));
  const graph = g.build();
  const { offsets, size } = planMemory(graph, { T: 4, S: 0, past: 0 });
  expect(offsets.get(wide.id)).not.toBe(offsets.get(narrow.id));
  expect(size).toBe(4 * 4 * (8 + 4));
});
