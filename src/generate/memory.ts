/** What a model needs of a backend's memory: weights, workspace, states. All sizes in bytes. */
import type { Backend } from '../backends/index.ts';
import {
  type CacheType,
  cacheRowBytes,
  type Dims,
  type Graph,
  planMemory,
  type Weight,
} from '../graph/index.ts';
import type { LanguageModel, ModelGraphs } from '../models/index.ts';
import { formatBytes } from '../quants/index.ts';

/** Room for what no plan counts: the runtime itself, pieces of a file on their way, rounding to cache lines. */
const SLACK = 192 * 2 ** 20;

/** Bytes of a weight as the backend keeps it; formats that it does not multiply are widened to f32. */
export function weightBytes(backend: Backend, { format, cols, rows }: Weight): number {
  return backend.multiplies(format) ? formatBytes(format, cols * rows) : 4 * cols * rows;
}

export function segmentsOf({ embed, layers, final, output }: ModelGraphs): readonly Graph[] {
  return [embed, ...layers, final, output];
}

export function segmentBytes(backend: Backend, graph: Graph): number {
  return graph.weights.reduce((sum, weight) => sum + weightBytes(backend, weight), 0);
}

/** All weights, each counted once (a tied embedding serves two segments). */
export function modelBytes(backend: Backend, graphs: ModelGraphs): number {
  const weights = new Map(segmentsOf(graphs).flatMap(({ weights }) => weights.map((one) => [one.name, one])));
  return [...weights.values()].reduce((sum, weight) => sum + weightBytes(backend, weight), 0);
}

/** Keys and values of one layer for `positions` positions. */
export function cacheBytes(model: LanguageModel, type: CacheType, positions: number): number {
  const { kvHeads, headSize } = model.hyper;
  return 2 * positions * cacheRowBytes({ type, cols: kvHeads * headSize });
}

/** Everything beside weights and caches that runs of these dims need. */
export function workBytes(model: LanguageModel, graphs: ModelGraphs, dims: Dims): number {
  const { width, vocabulary } = model.hyper;
  const workspace = Math.max(...segmentsOf(graphs).map((graph) => planMemory(graph, dims).size));
  return (
    SLACK + workspace + 4 * dims.T * (2 * width + 2 * graphs.rope.rotated) + 4 * dims.S * (width + vocabulary)
  );
}
