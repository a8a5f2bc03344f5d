/** Collecting activations: the graph with a `square_sum` at each of its checkpoints. */
import type { Graph, Node, Sums, Tap } from './types.ts';

/** Name of the running sums of a weight's input. */
export function sumsName(weight: string): string {
  return `${weight}.in_sum2`;
}

/**
 * The same graph, which also adds the squared inputs of the chosen weights to sums of its own; nothing else changes.
 * @param wanted which of the checkpoints to collect, by weight.
 */
export function withSquareSums(graph: Graph, wanted: (tap: Tap) => boolean): Graph {
  const taps = graph.taps.filter(wanted);
  const sums = new Map<string, Sums>(
    taps.map(({ weight }) => [
      weight.name,
      { kind: 'sums', name: sumsName(weight.name), cols: weight.cols } satisfies Sums,
    ]),
  );
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const own = node.op === 'matmul' ? sums.get(node.weight.name) : undefined;
    if (node.op !== 'matmul' || !own) return [node];
    return [{ op: 'square_sum', output: undefined, x: node.x, sums: own }, node];
  });
  return { ...graph, nodes, states: [...graph.states, ...sums.values()] };
}
