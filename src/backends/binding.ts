/** What the buffers of a step must hold: every name of its graph bound, every buffer large enough. */
import {
  type Cache,
  cacheRowBytes,
  cacheRows,
  type Dims,
  type Graph,
  type Sums,
  spansOf,
  valueBytes,
  type Weight,
} from '../graph/index.ts';
import { formatBytes, type TensorFormat } from '../quants/index.ts';
import type { Buffer, Step } from './backend.ts';

/** Bytes of a weight as stored in `format`. */
export function weightBytes(weight: Weight, format: TensorFormat = weight.format): number {
  return weight.rows * formatBytes(format, weight.cols);
}

/** Bytes of a cache of `positions` rows, or of sums. */
export function stateBytes(state: Cache | Sums, positions: number): number {
  return state.kind === 'sums' ? 8 * state.cols : positions * cacheRowBytes(state);
}

/** The buffer of a name. @throws Error: nothing is bound to it. */
export function bound(step: Step, name: string): Buffer {
  const buffer = step.bind.get(name);
  if (!buffer) throw new Error(`${step.program.graph.name}: nothing is bound to ${name}`);
  return buffer;
}

function needs(graph: Graph, dims: Dims): [string, number][] {
  return [
    ...[...graph.inputs, ...graph.outputs].map(([name, value]): [string, number] => [
      name,
      valueBytes(value, dims),
    ]),
    ...graph.states.map((state): [string, number] => [state.name, stateBytes(state, cacheRows(dims))]),
  ];
}

/** @throws Error: the spans are not the run's tokens. A fault of the caller. */
export function checkSpans(dims: Dims, graph: string): void {
  const tokens = spansOf(dims).reduce((sum, { rows }) => sum + rows, 0);
  if (tokens !== dims.T) throw new Error(`${graph}: the spans have ${tokens} tokens, the run ${dims.T}`);
}

/** @throws Error: something that the step names is not bound, or its buffer is too small. A fault of the caller. */
export function checkBindings(step: Step): void {
  const { graph } = step.program;
  checkSpans(step.dims, graph.name);
  for (const [name, bytes] of needs(graph, step.dims)) {
    const found = bound(step, name).bytes;
    if (found < bytes)
      throw new Error(`${graph.name}: ${name} needs ${bytes} bytes, its buffer has ${found}`);
  }
  for (const weight of graph.weights) bound(step, weight.name);
}
