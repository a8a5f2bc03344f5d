/** How much a run computes: enough to tell a short one from a long one. */
import { type Dims, type Graph, type Node, rowsOf, type Value } from '../../graph/index.ts';

function cells(value: Value, dims: Dims): number {
  return rowsOf(value, dims) * value.cols;
}

function workOfNode(node: Node, dims: Dims): number {
  switch (node.op) {
    case 'matmul':
      return cells(node.x, dims) * node.weight.rows;
    case 'attention':
      return 2 * cells(node.q, dims) * (dims.past + dims.T);
    case 'loss':
    case 'divergence':
      return 16 * cells(node.logits, dims);
    case 'square_sum':
      return cells(node.x, dims);
    default:
      return node.output ? cells(node.output, dims) : 0;
  }
}

/** Multiply-adds, or what takes as long, to within a factor of two or so. */
export function workOf({ nodes }: Graph, dims: Dims): number {
  return nodes.reduce((sum, node) => sum + workOfNode(node, dims), 0);
}
