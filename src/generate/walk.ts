/**
 * Walking chunks of tokens through a model, to measure: importance, perplexity, divergence. Each chunk is a sequence of
 * its own. A resident model takes chunk after chunk; one that is streamed takes a group of chunks segment after segment,
 * so that each weight is read once a group.
 */
import { type Buffer, bytesOf, readF32, type Step } from '../backends/index.ts';
import { BitmillError } from '../core/index.ts';
import { type Dims, type Graph, spansOf, sumsName, type Tap, withSquareSums } from '../graph/index.ts';
import { type Bindings, type Engine, need, step } from './engine.ts';

/** Rows `from .. to` of a chunk. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** The end of the model for rows of one chunk, still on the backend; valid until `finish` resolves. */
export interface HeadResult {
  readonly chunk: number;
  /** Which rows of the chunk these are. */
  readonly rows: RowRange;
  /** Normalized final states, f32 [rows, E]. */
  readonly final: Buffer;
  /** f32 [rows, V]. */
  readonly logits: Buffer;
}

/** Squared inputs of a weight, summed a column over `count` tokens. */
export interface SquareSums {
  readonly sums: Float64Array;
  count: number;
}

export interface WalkRequest {
  /** Token ids, each chunk at most `contextSize` long. */
  readonly chunks: readonly Int32Array[];
  /** Rows whose logits are wanted; the head is left out where there are none. Default: none. */
  readonly select?: (chunk: number) => RowRange;
  /** Called in the order of chunks; a chunk longer than a batch comes in several parts. */
  readonly finish?: (head: HeadResult) => Promise<void>;
  /** Collects the squared inputs of these weights on top of `totals` (by weight name), token by token in order. */
  readonly collect?: {
    readonly wanted: (tap: Tap) => boolean;
    readonly totals: Map<string, SquareSums>;
  };
  /** Chunks after which everything is whole and `saved` is called: a place to go on from. Default: all at once. */
  readonly saveEvery?: number;
  readonly saved?: (chunksDone: number) => Promise<void>;
  /** Takes segment after segment even where all weights fit. */
  readonly layerByLayer?: boolean;
  /** Tokens x segments done so far, of `walkLength`. */
  readonly progress?: (done: number) => void;
}

const NOT_FINITE_HINT =
  'a weight is NaN or infinite, or an activation overflows f32: convert the checkpoint again';

const NO_ROWS: RowRange = { from: 0, to: 0 };

/** The measure of `progress`: one for each token in each layer, embedding and head. */
export function walkLength(engine: Engine, chunks: readonly Int32Array[]): number {
  return (engine.graphs.layers.length + 2) * chunks.reduce((sum, { length }) => sum + length, 0);
}

/** A part of a chunk that goes through the model at once. */
interface Part {
  readonly chunk: number;
  readonly tokens: Int32Array;
  readonly past: number;
  /** Selected rows, counted in the chunk. */
  readonly rows: RowRange;
}

class Walk {
  readonly #engine: Engine;
  readonly #request: WalkRequest;
  readonly #collected: ReadonlyMap<Graph, Graph>;
  /** Buffers of a batch: tokens, cos, sin, two of hidden states, select, final, logits. */
  readonly #own = new Map<string, Buffer>();
  readonly #layerByLayer: boolean;
  readonly #sums: Bindings = new Map();
  #done = 0;

  constructor(engine: Engine, request: WalkRequest) {
    this.#engine = engine;
    this.#request = request;
    this.#layerByLayer = request.layerByLayer ?? !engine.resident;
    const { layers, output } = engine.graphs;
    const { collect } = request;
    this.#collected = new Map(
      collect ? [...layers, output].map((graph) => [graph, withSquareSums(graph, collect.wanted)]) : [],
    );
  }

  async run(): Promise<void> {
    const { chunks, saveEvery = chunks.length, saved } = this.#request;
    this.#allocate();
    try {
      for (let at = 0; at < chunks.length; ) {
        const saveAt = Math.min(chunks.length, (Math.floor(at / saveEvery) + 1) * saveEvery);
        const end = Math.min(saveAt, at + this.#groupSize(at));
        if (!this.#layerByLayer) await this.#resident(at, end);
        else await this.#streamed(at, end);
        at = end;
        if (at === saveAt) await saved?.(at);
      }
    } finally {
      for (const buffer of [...this.#own.values(), ...this.#sums.values()]) this.#engine.backend.free(buffer);
    }
  }

  /** Chunk after chunk through the whole model. */
  async #resident(from: number, to: number): Promise<void> {
    const { graphs, backend, contextSize, batch } = this.#engine;
    const segments = [graphs.embed, ...graphs.layers, graphs.final, graphs.output];
    const weights = new Map<Graph, Bindings>();
    for (const graph of segments) weights.set(graph, await this.#engine.acquire(graph));
    // A chunk that is one batch needs the keys and values of a layer only while it is in that layer.
    const longest = Math.max(...this.#request.chunks.slice(from, to).map(({ length }) => length));
    const one = longest <= batch ? this.#engine.caches(contextSize) : undefined;
    const caches = graphs.layers.map(() => one ?? this.#engine.caches(contextSize));
    await this.#loadSums(graphs.layers);
    await this.#loadSums([graphs.output]);
    try {
      for (const part of this.#parts(from, to)) {
        const dims = this.#dims(part);
        this.#writeTokens(part, dims);
        this.#engine.writeAngles(this.#own, spansOf(dims));
        const steps = [
          this.#embedStep(weights, dims),
          ...graphs.layers.map((graph, i) => this.#layerStep(graph, i, weights, dims, caches[i])),
          ...this.#headSteps(weights, part, dims, graphs.layers.length % 2),
        ];
        await backend.run(steps);
        await this.#finish(part, dims);
        this.#advance(part.tokens.length * (graphs.layers.length + 2));
      }
      await this.#storeSums([...graphs.layers, graphs.output], from, to);
    } finally {
      for (const cache of new Set(caches.flatMap((one) => [...one.values()]))) backend.free(cache);
      for (const graph of segments) this.#engine.release(graph);
    }
  }

  /** Segment after segment, all chunks through each; hidden states wait in this process's memory. */
  async #streamed(from: number, to: number): Promise<void> {
    const { graphs, backend, contextSize } = this.#engine;
    const parts = [...this.#parts(from, to)];
    const states: Float32Array[] = [];
    await this.#segment(graphs.embed, async (weights) => {
      for (const part of parts) {
        const dims = this.#dims(part);
        this.#writeTokens(part, dims);
        await backend.run([this.#embedStep(weights, dims)]);
        const state = await this.#readHidden(0, dims);
        this.#checkHidden(graphs.embed, part, state);
        states.push(state);
        this.#advance(part.tokens.length);
      }
    });
    const cache = this.#engine.caches(contextSize);
    try {
      for (const graph of graphs.layers) {
        await this.#segment(graph, async (weights) => {
          await this.#loadSums([graph]);
          for (const [i, part] of parts.entries()) {
            const dims = this.#dims(part);
            backend.write(need(this.#own, 'hidden0'), 0, bytesOf(states[i]));
            this.#engine.writeAngles(this.#own, spansOf(dims));
            await backend.run([this.#layerStep(graph, 0, weights, dims, cache)]);
            states[i] = await this.#readHidden(1, dims);
            this.#checkHidden(graph, part, states[i]);
            this.#advance(part.tokens.length);
          }
          await this.#storeSums([graph], from, to);
        });
      }
    } finally {
      for (const buffer of cache.values()) backend.free(buffer);
    }
    await this.#streamedHead(parts, states, from, to);
  }

  async #streamedHead(
    parts: readonly Part[],
    states: readonly Float32Array[],
    from: number,
    to: number,
  ): Promise<void> {
    const { graphs, backend } = this.#engine;
    if (!parts.some(({ rows }) => rows.to > rows.from)) return;
    await this.#segment(graphs.final, (final) =>
      this.#segment(graphs.output, async (output) => {
        await this.#loadSums([graphs.output]);
        const weights = new Map([...final, ...output]);
        for (const [i, part] of parts.entries()) {
          const dims = this.#dims(part);
          backend.write(need(this.#own, 'hidden0'), 0, bytesOf(states[i]));
          await backend.run(this.#headSteps(weights, part, dims, 0));
          await this.#finish(part, dims);
          this.#advance(part.tokens.length);
        }
        await this.#storeSums([graphs.output], from, to);
      }),
    );
  }

  async #segment(
    graph: Graph,
    work: (weights: ReadonlyMap<Graph, Bindings>) => Promise<void>,
  ): Promise<void> {
    const weights = await this.#engine.acquire(graph);
    try {
      await work(new Map([[graph, weights]]));
    } finally {
      this.#engine.release(graph);
    }
  }

  #embedStep(weights: ReadonlyMap<Graph, Bindings>, dims: Dims): Step {
    const { embed } = this.#engine.graphs;
    return this.#step(embed, dims, weights, new Map([['next', need(this.#own, 'hidden0')]]));
  }

  /** @param parity which of the two hidden buffers is the input: even the first. */
  #layerStep(
    graph: Graph,
    parity: number,
    weights: ReadonlyMap<Graph, Bindings>,
    dims: Dims,
    caches: Bindings,
  ): Step {
    const io = new Map([
      ['hidden', need(this.#own, `hidden${parity % 2}`)],
      ['next', need(this.#own, `hidden${(parity + 1) % 2}`)],
    ]);
    return this.#step(graph, dims, weights, io, caches);
  }

  #headSteps(weights: ReadonlyMap<Graph, Bindings>, part: Part, dims: Dims, parity: number): Step[] {
    if (dims.S === 0) return [];
    const { final, output } = this.#engine.graphs;
    const select = Int32Array.from({ length: dims.S }, (_, i) => part.rows.from - part.past + i);
    this.#engine.backend.write(need(this.#own, 'select'), 0, bytesOf(select));
    const hidden = new Map([['hidden', need(this.#own, `hidden${parity}`)]]);
    return [this.#step(final, dims, weights, hidden), this.#step(output, dims, weights)];
  }

  #step(graph: Graph, dims: Dims, weights: ReadonlyMap<Graph, Bindings>, ...more: readonly Bindings[]): Step {
    const program = this.#engine.program(this.#collected.get(graph) ?? graph);
    return step(program, dims, this.#own, this.#sums, weights.get(graph) ?? new Map(), ...more);
  }

  async #finish(part: Part, dims: Dims): Promise<void> {
    if (dims.S === 0) return;
    await this.#request.finish?.({
      chunk: part.chunk,
      rows: part.rows,
      final: need(this.#own, 'final'),
      logits: need(this.#own, 'logits'),
    });
  }

  #dims({ tokens, past, rows }: Part): Dims {
    return { T: tokens.length, S: rows.to - rows.from, past };
  }

  *#parts(from: number, to: number): Generator<Part> {
    const { batch } = this.#engine;
    for (let chunk = from; chunk < to; chunk++) {
      const tokens = this.#request.chunks[chunk];
      const wanted = this.#request.select?.(chunk) ?? NO_ROWS;
      for (let past = 0; past < tokens.length; past += batch) {
        const end = Math.min(past + batch, tokens.length);
        const first = Math.max(past, wanted.from);
        const rows = { from: first, to: Math.max(first, Math.min(end, wanted.to)) };
        yield { chunk, tokens: tokens.subarray(past, end), past, rows };
      }
    }
  }

  #allocate(): void {
    const { backend, batch, graphs, model } = this.#engine;
    const { width, vocabulary } = model.hyper;
    const heads = this.#request.select ? batch : 0;
    const sizes = {
      tokens: batch,
      cos: (batch * graphs.rope.rotated) / 2,
      sin: (batch * graphs.rope.rotated) / 2,
      hidden0: batch * width,
      hidden1: batch * width,
      select: heads,
      final: heads * width,
      logits: heads * vocabulary,
    };
    for (const [name, size] of Object.entries(sizes)) this.#own.set(name, backend.alloc(4 * size, name));
  }

  #writeTokens({ tokens }: Part, { T }: Dims): void {
    this.#engine.backend.write(need(this.#own, 'tokens'), 0, bytesOf(tokens.slice(0, T)));
  }

  #readHidden(index: number, { T }: Dims): Promise<Float32Array> {
    return readF32(
      this.#engine.backend,
      need(this.#own, `hidden${index}`),
      T * this.#engine.model.hyper.width,
    );
  }

  #checkHidden({ name }: Graph, { past }: Part, state: Float32Array): void {
    const bad = state.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return;
    const token = past + Math.floor(bad / this.#engine.model.hyper.width);
    throw notFinite(this.#engine, `the output of ${name} for token ${token}`, state[bad], NOT_FINITE_HINT);
  }

  /** Puts the totals so far where the graphs add to them, so that the order of additions never depends on groups. */
  async #loadSums(graphs: readonly Graph[]): Promise<void> {
    const { collect } = this.#request;
    if (!collect) return;
    for (const { weight } of graphs.flatMap((graph) => graph.taps.filter(collect.wanted))) {
      const totals = collect.totals.get(weight.name) ?? { sums: new Float64Array(weight.cols), count: 0 };
      collect.totals.set(weight.name, totals);
      const name = sumsName(weight.name);
      const buffer = this.#sums.get(name) ?? this.#engine.backend.alloc(8 * weight.cols, name);
      this.#sums.set(name, buffer);
      this.#engine.backend.write(buffer, 0, bytesOf(totals.sums));
    }
  }

  async #storeSums(graphs: readonly Graph[], from: number, to: number): Promise<void> {
    const { collect, chunks } = this.#request;
    if (!collect) return;
    for (const graph of graphs) {
      for (const { weight } of graph.taps.filter(collect.wanted)) {
        const totals = collect.totals.get(weight.name);
        if (!totals) continue;
        const bytes = await this.#engine.backend.read(
          need(this.#sums, sumsName(weight.name)),
          0,
          8 * weight.cols,
        );
        totals.sums.set(new Float64Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, weight.cols));
        for (let chunk = from; chunk < to; chunk++) totals.count += this.#tokensThrough(graph, chunk, chunks);
        await this.#checkSums(weight.name, totals, chunks.slice(from, to));
      }
    }
  }

  async #checkSums(weight: string, { sums }: SquareSums, chunks: readonly Int32Array[]): Promise<void> {
    const bad = sums.findIndex((sum) => !Number.isFinite(sum));
    if (bad < 0) return;
    if (!this.#layerByLayer) await findNonFinite(this.#engine, chunks);
    throw notFinite(
      this.#engine,
      `the squared input of ${weight} in column ${bad}`,
      sums[bad],
      NOT_FINITE_HINT,
    );
  }

  /** The output matrix sees the selected rows only. */
  #tokensThrough(graph: Graph, chunk: number, chunks: readonly Int32Array[]): number {
    if (graph !== this.#engine.graphs.output) return chunks[chunk].length;
    const { from, to } = this.#request.select?.(chunk) ?? NO_ROWS;
    return to - from;
  }

  /** Chunks whose hidden states fit beside what the engine needs anyway. */
  #groupSize(at: number): number {
    const { budget, model } = this.#engine;
    if (!this.#layerByLayer || budget === Number.POSITIVE_INFINITY) return this.#request.chunks.length;
    const free = budget - this.#engine.streamingBytes();
    let bytes = 0;
    let count = 0;
    for (const { length } of this.#request.chunks.slice(at)) {
      bytes += 4 * length * model.hyper.width;
      if (bytes > free && count > 0) break;
      count++;
    }
    return count;
  }

  #advance(amount: number): void {
    this.#done += amount;
    this.#request.progress?.(this.#done);
  }
}

function notFinite(engine: Engine, what: string, value: number, hint: string): BitmillError {
  return new BitmillError('input', `${engine.model.file.name}: ${what} is ${value}: it must be finite`, {
    hint,
  });
}

/** Walks chunks through the model. @throws input error: an activation that is not finite, by layer. */
export async function walk(engine: Engine, request: WalkRequest): Promise<void> {
  const tooLong = request.chunks.find(({ length }) => length > engine.contextSize);
  if (tooLong) throw new Error(`a chunk of ${tooLong.length} tokens in a context of ${engine.contextSize}`);
  await new Walk(engine, request).run();
}

/**
 * Looks for the place where a computation stops being finite, segment by segment: for when a result of these chunks is
 * NaN or infinite. @throws input error: the segment, the token and the value.
 */
export async function findNonFinite(engine: Engine, chunks: readonly Int32Array[]): Promise<void> {
  for (const chunk of chunks) await walk(engine, { chunks: [chunk], layerByLayer: true });
}
