/**
 * Tensors from a source to a sink in chunks of rows: several chunks are on their way at once, so reading,
 * converting and writing overlap, and memory stays at a few chunks whatever the size of a tensor.
 */
import { type ByteSink, type Executor, inputError, type Progress } from '../core/index.ts';
import { FORMATS, type FormatName, formatBytes } from '../quants/index.ts';
import { addTally, type ConvertInput, convertJob, emptyTally, type Tally } from './rows.ts';

/** Weights of one chunk, about: 8 MiB of f16 in, 16 MiB of f32 out. */
const CHUNK_WEIGHTS = 1 << 22;

/** A tensor on its way. */
export interface Transfer {
  /** Name for messages. */
  readonly name: string;
  readonly source: FormatName;
  readonly target: FormatName;
  readonly rows: number;
  /** Weights a row. */
  readonly cols: number;
  /** Rows a head whose halves are interleaved; 0: none. */
  readonly headRows: number;
  /** Absolute offset in the sink. */
  readonly offset: number;
  /** Bytes of a range of the source tensor, fresh memory. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface StreamOptions {
  readonly executor: Executor;
  readonly progress: Progress;
  /** Label of the progress bar. */
  readonly label: string;
  /** File, for messages. */
  readonly place: string;
  /** NaN and infinite weights pass, counted. */
  readonly allowNonFinite: boolean;
}

/** Rows a chunk: whole heads where heads are interleaved. */
function chunkRows({ rows, cols, headRows }: Transfer): number {
  const step = Math.max(1, headRows);
  return Math.min(rows, Math.max(step, Math.floor(CHUNK_WEIGHTS / cols / step) * step));
}

/** Runs tasks with at most `limit` unfinished; the first failure stops the rest and is thrown. */
async function runBounded(tasks: Iterable<() => Promise<void>>, limit: number): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed: { readonly error: unknown } | undefined;
  for (const task of tasks) {
    while (running.size >= limit && !failed) await Promise.race(running);
    if (failed) break;
    const run: Promise<void> = task().then(
      () => void running.delete(run),
      (error: unknown) => {
        running.delete(run);
        failed ??= { error };
      },
    );
    running.add(run);
  }
  await Promise.all(running);
  if (failed) throw failed.error;
}

/**
 * Moves tensors into a file of `size` bytes. @returns the tally of each tensor, in order.
 * @throws input error: a weight is NaN or infinite and that is not allowed.
 */
export async function streamTensors(
  transfers: readonly Transfer[],
  sink: ByteSink,
  size: number,
  options: StreamOptions,
): Promise<Tally[]> {
  const tallies = transfers.map(emptyTally);
  const total = transfers.reduce((sum, t) => sum + t.rows * formatBytes(FORMATS[t.target], t.cols), 0);
  let done = 0;
  options.progress.start(options.label, total, 'bytes');
  const move = async (index: number, row: number, rows: number) => {
    const transfer = transfers[index];
    const { bytes, tally } = await convertChunk(transfer, row, rows, options.executor);
    addTally(tallies[index], tally);
    if (tally.nonFinite > 0 && !options.allowNonFinite) throw nonFiniteError(options.place, transfer, tally);
    await sink.write(transfer.offset + row * formatBytes(FORMATS[transfer.target], transfer.cols), bytes);
    done += bytes.length;
    options.progress.update(done, transfer.name);
  };
  try {
    await runBounded(chunksOf(transfers, move), options.executor.threads + 1);
    await padTo(sink, size, transfers);
  } finally {
    options.progress.stop();
  }
  return tallies;
}

/** Writes the zeros after the last tensor, so that the file has its full size. */
async function padTo(sink: ByteSink, size: number, transfers: readonly Transfer[]): Promise<void> {
  const ends = transfers.map(
    ({ offset, rows, cols, target }) => offset + rows * formatBytes(FORMATS[target], cols),
  );
  const end = ends.reduce((last, one) => Math.max(last, one), 0);
  if (end > 0 && end < size) await sink.write(end, new Uint8Array(size - end));
}

function* chunksOf(
  transfers: readonly Transfer[],
  move: (index: number, row: number, rows: number) => Promise<void>,
): Generator<() => Promise<void>> {
  for (const [index, transfer] of transfers.entries()) {
    const step = chunkRows(transfer);
    for (let row = 0; row < transfer.rows; row += step) {
      yield () => move(index, row, Math.min(step, transfer.rows - row));
    }
  }
}

async function convertChunk(transfer: Transfer, row: number, rows: number, executor: Executor) {
  const { source, target, cols, headRows } = transfer;
  const rowBytes = formatBytes(FORMATS[source], cols);
  const bytes = await transfer.read(row * rowBytes, rows * rowBytes);
  const input: ConvertInput = { source, target, bytes, cols, headRows };
  return executor.run(convertJob, input, [bytes.buffer]);
}

function nonFiniteError(place: string, { name }: Transfer, { nonFinite }: Tally): Error {
  return inputError(
    `${place}: tensor "${name}"`,
    `has at least ${nonFinite} weights that are NaN or infinite`,
    'the checkpoint is damaged; --allow-nonfinite converts it all the same',
  );
}
