/**
 * What quantization cost each tensor: the importance-weighted squared error of a quant's weights relative to the weighted
 * squares of the original's, E of `quality`. All of a tensor's rows, or as many of them, evenly spaced, as are asked
 * for: rows of a matrix lose much alike, so a few hundred tell the error to a few percent at a fraction of the reading.
 * Letters: X matrices in a tensor (experts), C columns.
 */
import { type Executor, inputError } from '../core/index.ts';
import type { GgufFile, GgufTensor } from '../gguf/index.ts';
import { type ImportanceMatrix, importanceFor } from '../imatrix/index.ts';
import { type ErrorInput, type ErrorSums, errorJob, formatName } from '../quants/index.ts';
import { readRows, sampledRows } from './tensor-rows.ts';

/**
 * Rows of a tensor that are enough for a table or a picture: at a few hundred weights a row and more, the error of the
 * estimate is a percent or two, and a model of 3.8 B weights takes seconds a file.
 */
export const SAMPLED_ROWS = 256;

/** Weights that a job compares at once: some 10 MB in the worker. */
const CHUNK_WEIGHTS = 1 << 20;

export interface TensorError {
  /** The quant's format: `Q4_K`. */
  readonly format: string;
  /** 0: lossless; 1: as bad as zeros. */
  readonly error: number;
}

export interface TensorErrorOptions {
  readonly executor: Executor;
  /** Rows of each tensor at most, over all its matrices; default: all. */
  readonly maxRows?: number;
  /** Told how many of the quantized tensors are read. */
  readonly progress?: (done: number, total: number) => void;
}

/** A tensor in both files. */
interface Pair {
  readonly original: GgufTensor;
  readonly quant: GgufTensor;
}

/** @throws input error: the original lacks it, has another shape, or is itself quantized. */
function pairOf(original: GgufFile, quant: GgufFile, tensor: GgufTensor): Pair {
  const place = `${quant.name}: tensor ${tensor.name}`;
  const other = original.find(tensor.name);
  if (!other) throw inputError(place, `the original, ${original.name}, does not have it`);
  const [own, theirs] = [tensor.shape.join(' x '), other.shape.join(' x ')];
  if (own !== theirs)
    throw inputError(place, `has ${own} weights, in the original, ${original.name}, ${theirs}`);
  if (other.format.kind === 'float') return { original: other, quant: tensor };
  throw inputError(
    `${original.name}: tensor ${tensor.name}`,
    `is ${other.format.name}; errors are measured against F32, F16 or BF16`,
    'name the file that was not quantized',
  );
}

/** Rows of one matrix that are compared at once. */
interface Chunk {
  readonly rows: readonly number[];
  readonly importance: Float32Array | null;
}

function* chunksOf({ quant }: Pair, matrix: ImportanceMatrix | undefined, maxRows: number): Generator<Chunk> {
  const [cols] = quant.shape;
  const matrices = quant.shape.slice(2).reduce((product, size) => product * size, 1);
  const rows = quant.weights / cols;
  const importance = matrix ? importanceFor(matrix, quant.name, cols * matrices) : null;
  const atOnce = Math.max(1, Math.floor(CHUNK_WEIGHTS / cols));
  const matrixOf = (row: number): number => Math.floor(row / (rows / matrices));
  const wanted = sampledRows(rows, maxRows);
  for (let at = 0; at < wanted.length; ) {
    const index = matrixOf(wanted[at]);
    let end = at + 1;
    while (end < wanted.length && end - at < atOnce && matrixOf(wanted[end]) === index) end++;
    yield {
      rows: wanted.slice(at, end),
      importance: importance?.slice(index * cols, (index + 1) * cols) ?? null,
    };
    at = end;
  }
}

function errorOf(sums: readonly ErrorSums[], place: string): number {
  const squares = sums.reduce((sum, one) => sum + one.squares, 0);
  const errors = sums.reduce((sum, one) => sum + one.errors, 0);
  if (!Number.isFinite(squares) || !Number.isFinite(errors)) {
    throw inputError(place, 'holds weights that are NaN or infinite, or the original does');
  }
  if (errors === 0) return 0;
  if (squares > 0) return errors / squares;
  throw inputError(place, 'is zero in the original, and not in this file');
}

/** Both files' bytes of a chunk, as its job wants them. */
async function readChunk(
  original: GgufFile,
  quant: GgufFile,
  pair: Pair,
  { rows, importance }: Chunk,
): Promise<ErrorInput> {
  const [source, coded] = await Promise.all([
    readRows(original, pair.original, rows),
    readRows(quant, pair.quant, rows),
  ]);
  return {
    original: { format: formatName(pair.original.format), bytes: source },
    quant: { format: formatName(pair.quant.format), bytes: coded },
    weights: rows.length * pair.quant.shape[0],
    importance,
  };
}

/**
 * Errors of a quant's quantized tensors by name, in file order.
 * @param matrix importance of columns; equal where it is undefined or has no entry.
 * @throws input error: files that are not of one model, an original that is itself quantized, a matrix that does not
 * fit, weights that are not finite.
 */
export async function tensorErrors(
  original: GgufFile,
  quant: GgufFile,
  matrix: ImportanceMatrix | undefined,
  { executor, maxRows = Number.POSITIVE_INFINITY, progress }: TensorErrorOptions,
): Promise<Record<string, TensorError>> {
  const pairs = quant.tensors
    .filter(({ format }) => format.kind === 'quantized')
    .map((tensor) => pairOf(original, quant, tensor));
  // By place, not in the order of completion: f64 sums depend on their order.
  const sums: ErrorSums[][] = pairs.map(() => []);
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for (const [i, pair] of pairs.entries()) {
    let next = 0;
    for (const chunk of chunksOf(pair, matrix, maxRows)) {
      while (running.size > executor.threads) await Promise.race(running);
      if (failures.length > 0) break;
      const input = await readChunk(original, quant, pair, chunk);
      const at = next++;
      const task = executor
        .run(errorJob, input, [input.original.bytes.buffer, input.quant.bytes.buffer])
        .then((found) => {
          sums[i][at] = found;
        })
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(task));
      running.add(task);
    }
    progress?.(i + 1, pairs.length);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  return Object.fromEntries(
    pairs.map(({ quant: { name, format } }, i) => [
      name,
      { format: format.name, error: errorOf(sums[i], `${quant.name}: tensor ${name}`) },
    ]),
  );
}
