/**
 * Sequences on an engine. Every layer has one cache for all of them, in which sequence i has the rows from i times the
 * context size on; a run takes its parts through the model side by side. Needs a model whose weights stay on the backend.
 * Letters: T tokens of a run, R rows that go through the head at once, E embedding width, V vocabulary.
 */
import { type Buffer, bytesOf, readF32, type Step } from '../backends/index.ts';
import { BitmillError } from '../core/index.ts';
import { type CacheType, cacheRowBytes, type Dims, type Graph, type Span } from '../graph/index.ts';
import { type Bindings, type Engine, need } from './engine.ts';
import type { Part, Sequences, Wanted } from './sequences.ts';

/** R is at least so many: all logits of a prompt come in pieces, and the weights are read once for each. */
const HEAD_ROWS = 32;

/** What of the head a wish takes: the rows of its part, and whether the output matrix follows the norm. */
const WISHES = {
  nothing: { rows: () => 0, logits: false },
  last: { rows: () => 1, logits: true },
  all: { rows: (tokens) => tokens, logits: true },
  hidden: { rows: (tokens) => tokens, logits: false },
} as const satisfies Record<Wanted, { readonly rows: (tokens: number) => number; readonly logits: boolean }>;

/** Rows of the head that give the same kind of result, R of them at most. */
interface Piece {
  /** Rows of the run. */
  readonly select: Int32Array;
  readonly logits: boolean;
}

/** Rows of the run whose results are wanted, in the order of the parts. */
function wantedRows(parts: readonly Part[], logits: boolean): Int32Array {
  const rows: number[] = [];
  let end = 0;
  for (const { tokens, want } of parts) {
    end += tokens.length;
    const count = WISHES[want].logits === logits ? WISHES[want].rows(tokens.length) : 0;
    for (let row = end - count; row < end; row++) rows.push(row);
  }
  return Int32Array.from(rows);
}

/** A graph with everything that its steps bind. */
interface Segment {
  readonly graph: Graph;
  readonly bind: Step['bind'];
}

/** @throws resources error: the weights do not fit the engine's memory at once. */
export async function openSequences(engine: Engine, count = engine.sequences): Promise<Sequences> {
  const { graphs, model, budget } = engine;
  if (!engine.resident) {
    throw new BitmillError(
      'resources',
      `${model.file.name}: its weights and caches do not fit ${budget} bytes, which generation needs`,
      { hint: 'a smaller quant, a smaller context or more memory helps' },
    );
  }
  const weights: Bindings[] = [];
  for (const graph of [graphs.embed, ...graphs.layers, graphs.final, graphs.output]) {
    weights.push(await engine.acquire(graph));
  }
  return new BatchSequences(engine, count, weights);
}

class BatchSequences implements Sequences {
  readonly count: number;
  readonly contextSize: number;
  readonly batch: number;
  readonly #engine: Engine;
  readonly #positions: number[];
  readonly #caches: readonly Bindings[];
  /** Buffers of a run: tokens, cos, sin, two of hidden states, select, final, logits. */
  readonly #own: Bindings;
  /** R. */
  readonly #headRows: number;
  /** Embedding and layers. */
  readonly #body: readonly Segment[];
  readonly #final: Segment;
  readonly #output: Segment;

  /** @param weights of embedding, layers, final norm and output matrix. */
  constructor(engine: Engine, count: number, weights: readonly Bindings[]) {
    const { graphs, contextSize, batch } = engine;
    this.count = count;
    this.contextSize = contextSize;
    this.batch = batch;
    this.#engine = engine;
    this.#positions = new Array(count).fill(0);
    this.#headRows = Math.min(batch, Math.max(count, HEAD_ROWS));
    this.#caches = graphs.layers.map(() => engine.caches(count * contextSize));
    this.#own = this.#buffers();
    const hidden = (i: number) => need(this.#own, `hidden${i % 2}`);
    const segment = (
      graph: Graph,
      index: number,
      ...more: readonly (readonly [string, Buffer])[]
    ): Segment => ({
      graph,
      bind: new Map([...this.#own, ...weights[index], ...more]),
    });
    const layers = graphs.layers.map((graph, i) =>
      segment(graph, i + 1, ...this.#caches[i], ['hidden', hidden(i)], ['next', hidden(i + 1)]),
    );
    this.#body = [segment(graphs.embed, 0, ['next', hidden(0)]), ...layers];
    this.#final = segment(graphs.final, layers.length + 1, ['hidden', hidden(layers.length)]);
    this.#output = segment(graphs.output, layers.length + 2);
  }

  position(sequence: number): number {
    return this.#positions[this.#checked(sequence)];
  }

  async run(parts: readonly Part[]): Promise<readonly Float32Array[]> {
    this.#check(parts);
    if (parts.length === 0) return [];
    const spans = parts.map(({ sequence, tokens }): Span => {
      const past = this.#positions[sequence];
      return { rows: tokens.length, past, start: sequence * this.contextSize };
    });
    this.#writeInputs(parts, spans);
    const logits = wantedRows(parts, true);
    const hidden = wantedRows(parts, false);
    const found = await this.#runPieces(spans, [
      ...this.#pieces(logits, true),
      ...this.#pieces(hidden, false),
    ]);
    for (const { sequence, tokens } of parts) this.#positions[sequence] += tokens.length;
    return this.#share(parts, found);
  }

  rewind(sequence: number, position: number): void {
    this.#positions[sequence] = Math.min(position, this.position(sequence));
  }

  copy(from: number, to: number, positions: number): void {
    if (positions > this.position(from)) {
      throw new Error(`${positions} positions of a sequence that has ${this.position(from)}`);
    }
    const { backend, cacheType } = this.#engine;
    this.#positions[this.#checked(to)] = positions;
    if (from === to) return;
    const row = this.#rowBytes(cacheType);
    const [source, target] = [from, to].map((sequence) => sequence * this.contextSize * row);
    for (const buffer of this.#caches.flatMap((cache) => [...cache.values()])) {
      backend.copy(buffer, source, buffer, target, positions * row);
    }
  }

  close(): void {
    const { backend } = this.#engine;
    for (const buffer of [this.#own, ...this.#caches].flatMap((one) => [...one.values()])) {
      backend.free(buffer);
    }
  }

  #buffers(): Bindings {
    const { backend, graphs, model } = this.#engine;
    const { width, vocabulary } = model.hyper;
    const angles = (this.batch * graphs.rope.rotated) / 2;
    const sizes = {
      tokens: this.batch,
      cos: angles,
      sin: angles,
      hidden0: this.batch * width,
      hidden1: this.batch * width,
      select: this.#headRows,
      final: this.#headRows * width,
      logits: this.#headRows * vocabulary,
    };
    return new Map(
      Object.entries(sizes).map(([name, size]): [string, Buffer] => [name, backend.alloc(4 * size, name)]),
    );
  }

  #rowBytes(type: CacheType): number {
    const { kvHeads, headSize } = this.#engine.model.hyper;
    return cacheRowBytes({ type, cols: kvHeads * headSize });
  }

  #checked(sequence: number): number {
    if (sequence in this.#positions) return sequence;
    throw new Error(`sequence ${sequence} of ${this.count}`);
  }

  /** @throws resources error: a sequence would be longer than the context; Error: faults of the caller. */
  #check(parts: readonly Part[]): void {
    const total = parts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    if (total > this.batch) throw new Error(`${total} tokens in a run of at most ${this.batch}`);
    if (new Set(parts.map(({ sequence }) => sequence)).size < parts.length) {
      throw new Error('a sequence has two parts in one run');
    }
    for (const { sequence, tokens } of parts) {
      if (tokens.length === 0) throw new Error(`sequence ${sequence}: a part without tokens`);
      const length = this.position(sequence) + tokens.length;
      if (length <= this.contextSize) continue;
      throw new BitmillError('resources', `${length} tokens do not fit the context of ${this.contextSize}`);
    }
  }

  #writeInputs(parts: readonly Part[], spans: readonly Span[]): void {
    const { backend } = this.#engine;
    let at = 0;
    for (const { tokens } of parts) {
      backend.write(need(this.#own, 'tokens'), 4 * at, bytesOf(tokens));
      at += tokens.length;
    }
    this.#engine.writeAngles(this.#own, spans);
  }

  #pieces(rows: Int32Array, logits: boolean): Piece[] {
    return Array.from({ length: Math.ceil(rows.length / this.#headRows) }, (_, i) => ({
      select: rows.subarray(i * this.#headRows, (i + 1) * this.#headRows),
      logits,
    }));
  }

  /** Takes the tokens through the layers, and then each piece through the head. @returns results by kind. */
  async #runPieces(
    spans: readonly Span[],
    pieces: readonly Piece[],
  ): Promise<{ logits: Float32Array[]; hidden: Float32Array[] }> {
    const { backend, model } = this.#engine;
    const { width, vocabulary } = model.hyper;
    const found = { logits: [] as Float32Array[], hidden: [] as Float32Array[] };
    const T = spans.reduce((sum, { rows }) => sum + rows, 0);
    const past = spans.reduce((most, span) => Math.max(most, span.past), 0);
    const dims = (S: number): Dims => ({ T, S, past, spans });
    if (pieces.length === 0) await backend.run(this.#steps(this.#body, dims(0)));
    for (const [i, { select, logits }] of pieces.entries()) {
      backend.write(need(this.#own, 'select'), 0, bytesOf(select));
      const head = logits ? [this.#final, this.#output] : [this.#final];
      await backend.run(this.#steps(i === 0 ? [...this.#body, ...head] : head, dims(select.length)));
      const name = logits ? 'logits' : 'final';
      const rows = await readF32(
        backend,
        need(this.#own, name),
        select.length * (logits ? vocabulary : width),
      );
      found[logits ? 'logits' : 'hidden'].push(rows);
    }
    return found;
  }

  #steps(segments: readonly Segment[], dims: Dims): Step[] {
    return segments.map(({ graph, bind }) => ({ program: this.#engine.program(graph), dims, bind }));
  }

  /** To each part what it wants of the results. */
  #share(
    parts: readonly Part[],
    found: { readonly logits: readonly Float32Array[]; readonly hidden: readonly Float32Array[] },
  ): Float32Array[] {
    const { width, vocabulary } = this.#engine.model.hyper;
    const kinds = {
      logits: { values: joined(found.logits), cols: vocabulary, at: 0 },
      hidden: { values: joined(found.hidden), cols: width, at: 0 },
    };
    return parts.map(({ tokens, want }) => {
      const { rows, logits } = WISHES[want];
      const kind = kinds[logits ? 'logits' : 'hidden'];
      const from = kind.at;
      kind.at += rows(tokens.length) * kind.cols;
      return kind.values.subarray(from, kind.at);
    });
  }
}

/** One array of several; the only one as it is. */
function joined(pieces: readonly Float32Array[]): Float32Array {
  if (pieces.length === 1) return pieces[0];
  const all = new Float32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
