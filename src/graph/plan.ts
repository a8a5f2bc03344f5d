/**
 * The memory plan: where the values of a graph lie in one workspace, so that values whose lives do not overlap share
 * bytes. Inputs and outputs are bound to buffers of their own and take no place.
 */
import { type Dims, type Graph, reads, rowsOf, storage, type Value } from './types.ts';

/** Values start at a multiple of this many bytes: a cache line. */
const ALIGNMENT = 64;

export interface MemoryPlan {
  /** Byte offset in the workspace by value id. */
  readonly offsets: ReadonlyMap<number, number>;
  /** Bytes of the workspace. */
  readonly size: number;
}

/** Bytes of a value in a run; i32 and f32 are 4 each. */
export function valueBytes(value: Value, dims: Dims): number {
  return 4 * value.cols * rowsOf(value, dims);
}

interface Life {
  readonly value: Value;
  readonly from: number;
  readonly to: number;
}

function lives(graph: Graph): Life[] {
  const bound = new Set([...graph.inputs.values(), ...graph.outputs.values()].map(({ id }) => id));
  const last = new Map<number, number>();
  graph.nodes.forEach((node, at) => {
    for (const { id } of reads(node)) last.set(id, at);
  });
  return graph.nodes.flatMap(({ output }, from): Life[] => {
    if (!output || bound.has(output.id)) return [];
    return [{ value: storage(output), from, to: last.get(output.id) ?? from }];
  });
}

/** Places each value at the lowest offset that is free during its whole life, larger values first. */
export function planMemory(graph: Graph, dims: Dims): MemoryPlan {
  const placed: (Life & { readonly start: number; readonly end: number })[] = [];
  const bySize = lives(graph).sort((a, b) => valueBytes(b.value, dims) - valueBytes(a.value, dims));
  for (const life of bySize) {
    const rivals = placed
      .filter(({ from, to }) => from <= life.to && life.from <= to)
      .sort((a, b) => a.start - b.start);
    const bytes = Math.ceil(valueBytes(life.value, dims) / ALIGNMENT) * ALIGNMENT;
    let start = 0;
    for (const rival of rivals) {
      if (rival.start - start >= bytes) break;
      start = Math.max(start, rival.end);
    }
    placed.push({ ...life, start, end: start + bytes });
  }
  return {
    offsets: new Map(placed.map(({ value, start }) => [value.id, start])),
    size: Math.max(0, ...placed.map(({ end }) => end)),
  };
}
