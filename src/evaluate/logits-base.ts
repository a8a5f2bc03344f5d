/**
 * KL bases in llama.cpp's format: `_logits_`, u32 context, i32 vocabulary V, i32 chunks, the tokens of all chunks
 * (i32, before BOS is put in place), then for each chunk the rows that are scored, `log-probs.ts` each. All
 * little-endian. Such a file does not say which model, text or BOS it is of.
 */
import { type Backend, bytesOf, type Program } from '../backends/index.ts';
import { type ByteSink, type ByteSource, inputError, usageError } from '../core/index.ts';
import type { HeadResult, RowRange } from '../generate/index.ts';
import { GraphBuilder } from '../graph/index.ts';
import { type BaseFeed, type BaseRecorder, checkTokens, type KlBase, type LoadedRows } from './base.ts';
import { decodeLogProbs, encodeLogProbs, LEAST_LOG_PROB, rowCodes, rowHead } from './log-probs.ts';
import { scoredRows, type WindowSettings } from './windows.ts';

export const MAGIC = '_logits_';
const HEADER_BYTES = 20;

/** Above every vocabulary and context in use; larger numbers are damage. */
const MAX_COUNT = 2 ** 24;

interface Header {
  readonly contextSize: number;
  readonly vocabulary: number;
  readonly chunks: number;
}

/** Bytes before the rows, and of a row. */
function places({ contextSize, vocabulary, chunks }: Header): { rows: number; rowBytes: number } {
  return { rows: HEADER_BYTES + 4 * contextSize * chunks, rowBytes: 2 * rowCodes(vocabulary) };
}

function rowsPerChunk(contextSize: number): number {
  const { from, to } = scoredRows({ contextSize, stride: 0 });
  return to - from;
}

async function readHeader(source: ByteSource): Promise<Header> {
  const bytes = await source.read(0, HEADER_BYTES);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) throw inputError(source.name, `does not start with "${MAGIC}": it is no base file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const number = (what: string, at: number, least: number): number => {
    const value = view.getInt32(at, true);
    if (value >= least && value <= MAX_COUNT) return value;
    throw inputError(
      `${source.name}: header (at byte ${at})`,
      `${what} is ${value}; ${least} to ${MAX_COUNT} is allowed`,
    );
  };
  return {
    contextSize: number('the context', 8, 4),
    vocabulary: number('the vocabulary', 12, 1),
    chunks: number('the number of chunks', 16, 1),
  };
}

/** All figures are below 2^24, so their products are exact or far beyond any file. */
function checkSize(source: ByteSource, header: Header): void {
  const { contextSize, vocabulary, chunks } = header;
  const { rows, rowBytes } = places(header);
  const wanted = rows + chunks * rowsPerChunk(contextSize) * rowBytes;
  if (wanted === source.size) return;
  throw inputError(
    source.name,
    `has ${source.size} bytes, but ${chunks} chunks of ${contextSize} tokens with a vocabulary of ${vocabulary} ` +
      `take ${wanted}: ${source.size < wanted ? 'it is cut short' : 'its header is wrong'}`,
  );
}

class LogitsFeed implements BaseFeed {
  readonly program: Program;
  readonly #source: ByteSource;
  readonly #header: Header;
  readonly #backend: Backend;
  readonly #values: Float32Array;
  readonly #bind: Map<string, ReturnType<Backend['alloc']>>;

  constructor(source: ByteSource, header: Header, backend: Backend, rows: number) {
    const graph = new GraphBuilder('divergence');
    const [logits, base] = ['logits', 'base'].map((name) => graph.input(name, 'S', header.vocabulary));
    const targets = graph.input('targets', 'S', 1, 'i32');
    graph.output('scores', graph.divergence(logits, base, targets));
    this.program = backend.compile(graph.build());
    this.#source = source;
    this.#header = header;
    this.#backend = backend;
    this.#values = new Float32Array(rows * header.vocabulary);
    this.#bind = new Map([['base', backend.alloc(this.#values.byteLength, 'base')]]);
  }

  async load(window: number, rows: RowRange, targets: Int32Array): Promise<LoadedRows> {
    const { vocabulary, contextSize } = this.#header;
    const { rows: start, rowBytes } = places(this.#header);
    const count = rows.to - rows.from;
    const first =
      window * rowsPerChunk(contextSize) + rows.from - scoredRows({ contextSize, stride: 0 }).from;
    const bytes = await this.#source.read(start + first * rowBytes, count * rowBytes);
    const codes = new Uint16Array(bytes.slice().buffer);
    const stored = { nll: new Float64Array(count), mass: new Float64Array(count) };
    for (let i = 0; i < count; i++) {
      const row = codes.subarray((i * rowBytes) / 2, ((i + 1) * rowBytes) / 2);
      this.#checkRow(row, first + i);
      const { scale, minimum } = rowHead(row);
      stored.nll[i] = -(scale * row[4 + targets[i]] + minimum);
      stored.mass[i] = decodeLogProbs(row, this.#values.subarray(i * vocabulary, (i + 1) * vocabulary));
    }
    for (const buffer of this.#bind.values()) {
      this.#backend.write(buffer, 0, bytesOf(this.#values.subarray(0, count * vocabulary)));
    }
    return { bind: this.#bind, stored };
  }

  close(): void {
    for (const buffer of this.#bind.values()) this.#backend.free(buffer);
  }

  #checkRow(row: Uint16Array, index: number): void {
    const { scale, minimum } = rowHead(row);
    // The largest probability is at most 1, and at least what readers do not leave out.
    const top = 65535 * scale + minimum;
    if (scale >= 0 && top < 1e-3 && top > LEAST_LOG_PROB) return;
    throw inputError(
      `${this.#source.name}: row ${index}`,
      `has a scale of ${scale} and a minimum of ${minimum}: no probabilities`,
    );
  }
}

/** Reads the head of a base in llama.cpp's format. @throws input error: malformed, cut short, unknown tokens. */
export async function readLogitsBase(source: ByteSource): Promise<KlBase> {
  if (source.size < HEADER_BYTES) {
    throw inputError(source.name, `has ${source.size} bytes; a base file has ${HEADER_BYTES} or more`);
  }
  const header = await readHeader(source);
  checkSize(source, header);
  const { contextSize, vocabulary, chunks } = header;
  const bytes = await source.read(HEADER_BYTES, 4 * contextSize * chunks);
  const tokens = new Int32Array(bytes.slice().buffer);
  checkTokens(tokens, vocabulary, source.name);
  return {
    name: source.name,
    form: 'llama.cpp',
    vocabulary,
    settings: { contextSize, stride: 0, bos: undefined },
    tokens,
    windows: chunks,
    origin: undefined,
    feedBytes: (rows) => 4 * rows * vocabulary,
    feed: async (backend, rows) => new LogitsFeed(source, header, backend, rows),
  };
}

/**
 * Starts a file in llama.cpp's format; it is whole when every scored row of every chunk was recorded.
 * @param tokens of the text; @param chunks how many of them are written. @throws usage error: a stride.
 */
export async function recordLogits(
  sink: ByteSink,
  backend: Backend,
  vocabulary: number,
  { contextSize, stride }: WindowSettings,
  tokens: Int32Array,
  chunks: number,
): Promise<BaseRecorder> {
  if (stride !== 0) throw usageError("llama.cpp's base format has no stride", 'use --base-format bitmill');
  const header: Header = { contextSize, vocabulary, chunks };
  const { rows: start, rowBytes } = places(header);
  const head = new Uint8Array(HEADER_BYTES);
  head.set(new TextEncoder().encode(MAGIC));
  new Int32Array(head.buffer, 0, 5).set([contextSize, vocabulary, chunks], 2);
  await sink.write(0, head);
  await sink.write(HEADER_BYTES, bytesOf(tokens.slice(0, contextSize * chunks)));
  const { from } = scoredRows({ contextSize, stride });
  return {
    record: async ({ chunk, rows, logits }: HeadResult) => {
      const count = rows.to - rows.from;
      const bytes = await backend.read(logits, 0, 4 * count * vocabulary);
      const values = new Float32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, count * vocabulary);
      const codes = new Uint16Array((count * rowBytes) / 2);
      for (let i = 0; i < count; i++) {
        const row = codes.subarray((i * rowBytes) / 2, ((i + 1) * rowBytes) / 2);
        encodeLogProbs(values.subarray(i * vocabulary, (i + 1) * vocabulary), row);
      }
      const first = chunk * rowsPerChunk(contextSize) + rows.from - from;
      await sink.write(start + first * rowBytes, new Uint8Array(codes.buffer));
    },
  };
}
