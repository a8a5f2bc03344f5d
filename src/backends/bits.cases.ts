/** Cases for what a backend promises of bits: the same for every number of threads. */
import { CACHE_TYPES, withSquareSums } from '../graph/index.ts';
import { FORMATS, type TensorFormat } from '../quants/index.ts';
import { attentionCases, layerCases, spanCases } from './attention.cases.ts';
import { dims, type NamedCase, type Results, testCase, testValues, testWeight } from './run-graph.cases.ts';

/** A product, its collected inputs, and losses of its results. */
export function headCase(format: TensorFormat, T: number): NamedCase {
  const make = () => {
    const table = testWeight('table', format, [256, 300], 1);
    const inputs = {
      tokens: Int32Array.from({ length: T }, (_, i) => (7 * i) % 300),
      base: testValues(T * 300, 3),
      targets: Int32Array.from({ length: T }, (_, i) => (11 * i) % 300),
    };
    const one = testCase([table], [{ dims: dims(T), inputs }], (g) => {
      const x = g.embed(g.input('tokens', 'T', 1, 'i32'), table);
      const logits = g.matmul(g.add(x, g.swiglu(x, x)), table);
      const targets = g.input('targets', 'T', 1, 'i32');
      g.output('logits', logits);
      g.output('loss', g.loss(logits, targets));
      g.output('divergence', g.divergence(logits, g.input('base', 'T', 300), targets));
    });
    return { ...one, graph: withSquareSums(one.graph, () => true) };
  };
  return [`${format.name}, ${T} tokens: embedding to divergence`, make];
}

const HEAD_FORMATS = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_K', 'Q2_K', 'TQ1_0'] as const;
export const BIT_CASES: readonly NamedCase[] = [
  ...HEAD_FORMATS.flatMap((name) => [headCase(FORMATS[name], 1), headCase(FORMATS[name], 37)]),
  ...CACHE_TYPES.flatMap(attentionCases),
  ...CACHE_TYPES.flatMap(spanCases),
  ...layerCases(),
];

/** All values of the results as one comparable thing. */
export function bits(results: Results): unknown {
  return [...results].map(([name, { values }]) => [name, new BigInt64Array(values.slice().buffer).join()]);
}
