/**
 * The work of a plan in chunks: some rows of one tensor, and every place in every file where they are wanted.
 * Chunks depend on the plan alone, never on threads or memory, so a journal of one run serves any other.
 */
import type { GgufTensor } from '../gguf/index.ts';
import { importanceFor } from '../imatrix/index.ts';
import { FORMATS, type FormatName, formatBytes } from '../quants/index.ts';
import type { Plan, PlannedTensor } from './plan.ts';

/** Weights a chunk, about: enough to keep a worker busy for milliseconds, little enough for many in flight. */
const CHUNK_WEIGHTS = 1 << 20;

/** Where the rows go in one file. */
export interface Destination {
  /** Index of the file in the plan. */
  readonly file: number;
  readonly format: FormatName;
  readonly offset: number;
  readonly bytes: number;
}

export interface Chunk {
  /** Unique within the plan. */
  readonly id: string;
  readonly tensor: GgufTensor;
  /** Bytes of the rows in the source tensor. */
  readonly offset: number;
  readonly bytes: number;
  /** Index of the first weight in the tensor. */
  readonly firstWeight: number;
  readonly weights: number;
  /** Importance of the columns of these rows; null: none. */
  readonly importance: Float32Array | null;
  readonly destinations: readonly Destination[];
}

/** Memory that a chunk in flight takes: source, f32 weights in the worker and its kernel, encodings. */
export function chunkMemory(chunk: Chunk): number {
  const formats = new Map(chunk.destinations.map(({ format, bytes }) => [format, bytes]));
  const encoded = [...formats.values()].reduce((sum, bytes) => sum + bytes, 0);
  return chunk.bytes + 8 * chunk.weights + encoded;
}

function* tensorChunks(
  plan: Plan,
  tensor: GgufTensor,
  index: number,
  wanted: readonly (readonly [number, PlannedTensor])[],
): Generator<Chunk> {
  const cols = tensor.shape[0];
  const { imatrix } = plan.options;
  // Experts have columns of their own importance, so a chunk keeps within one matrix.
  const matrices = tensor.shape.slice(2).reduce((product, size) => product * size, 1);
  const rowsOfMatrix = tensor.weights / cols / matrices;
  const weighted = wanted.some(([, target]) => target.weighted);
  const importance = weighted && imatrix ? importanceFor(imatrix, tensor.name, cols * matrices) : null;
  const rowsAtOnce = Math.max(1, Math.floor(CHUNK_WEIGHTS / cols));
  for (let matrix = 0; matrix < matrices; matrix++) {
    for (let row = 0; row < rowsOfMatrix; row += rowsAtOnce) {
      const weights = Math.min(rowsAtOnce, rowsOfMatrix - row) * cols;
      const firstWeight = (matrix * rowsOfMatrix + row) * cols;
      yield {
        id: `${index}:${firstWeight}`,
        tensor,
        offset: formatBytes(tensor.format, firstWeight),
        bytes: formatBytes(tensor.format, weights),
        firstWeight,
        weights,
        importance: importance?.slice(matrix * cols, (matrix + 1) * cols) ?? null,
        destinations: wanted.map(([file, { format, offset }]) => ({
          file,
          format,
          offset: offset + formatBytes(FORMATS[format], firstWeight),
          bytes: formatBytes(FORMATS[format], weights),
        })),
      };
    }
  }
}

/** All chunks of a plan, in the order of the input's tensors: the input is read once, from front to back. */
export function* planChunks(plan: Plan): Generator<Chunk> {
  const wanted = new Map<string, [number, PlannedTensor][]>();
  plan.files.forEach((file, index) => {
    for (const tensor of file.tensors) {
      const list = wanted.get(tensor.source.name) ?? [];
      list.push([index, tensor]);
      wanted.set(tensor.source.name, list);
    }
  });
  for (const [index, tensor] of plan.model.tensors.entries()) {
    yield* tensorChunks(plan, tensor, index, wanted.get(tensor.name) ?? []);
  }
}
