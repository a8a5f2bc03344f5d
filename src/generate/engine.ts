/**
 * The engine: a model on a backend. Weights stay on the backend where they fit the memory budget; where they do not,
 * `walk` streams them: all chunks go through one segment, then the next segment is loaded. Both ways compute the same
 * numbers in the same order.
 */
import { type Backend, type Buffer, bytesOf, type Program, type Step } from '../backends/index.ts';
import { BitmillError, inputError } from '../core/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import type { AttentionAlgorithm, CacheType, Dims, Graph, Span, Weight } from '../graph/index.ts';
import { type LanguageModel, type ModelGraphs, readModel } from '../models/index.ts';
import { cacheBytes, modelBytes, segmentBytes, segmentsOf, workBytes } from './memory.ts';

/** Tokens that go through the model at once; more only cost workspace. */
export const DEFAULT_BATCH = 512;

export interface EngineOptions {
  readonly backend: Backend;
  /** Positions that a sequence has at most. */
  readonly contextSize: number;
  /** Sequences that grow side by side, each up to the context size (`openSequences`). Default 1. */
  readonly sequences?: number;
  readonly cacheType?: CacheType;
  readonly attention?: AttentionAlgorithm;
  /** Tokens a run, over all sequences. */
  readonly batch?: number;
  /** Bytes that the process may take, as far as the engine decides it; default: as much as the backend can hold. */
  readonly memory?: number;
  /** Bytes of that which others will take on the backend. */
  readonly reserve?: number;
}

/** Buffers by the names of a graph's inputs, outputs, weights and states. */
export type Bindings = Map<string, Buffer>;

export class Engine {
  readonly model: LanguageModel;
  readonly backend: Backend;
  readonly graphs: ModelGraphs;
  readonly contextSize: number;
  readonly sequences: number;
  readonly cacheType: CacheType;
  readonly attention: AttentionAlgorithm;
  readonly batch: number;
  /** Bytes that the engine may plan with. */
  readonly budget: number;
  /** Bytes of weights, workspace and caches together. */
  readonly residentBytes: number;
  /** Whether all weights stay on the backend. */
  readonly resident: boolean;
  readonly #programs = new Map<Graph, Program>();
  readonly #weights = new Map<string, { buffer: Buffer; users: number }>();

  private constructor(model: LanguageModel, options: EngineOptions) {
    const { backend, contextSize, sequences = 1, cacheType = 'f16', attention = 'flash' } = options;
    this.model = model;
    this.backend = backend;
    this.contextSize = contextSize;
    this.sequences = sequences;
    this.cacheType = cacheType;
    this.attention = attention;
    this.batch = Math.min(options.batch ?? DEFAULT_BATCH, sequences * contextSize);
    this.graphs = model.graphs({ cacheType, attention, contextSize });
    const { memory = Number.POSITIVE_INFINITY, reserve = 0 } = options;
    this.budget = Math.min(memory, backend.capacity) - reserve;
    const caches = model.hyper.layers * cacheBytes(model, cacheType, sequences * contextSize);
    this.residentBytes = modelBytes(backend, this.graphs) + this.#workBytes() + caches;
    this.resident = this.residentBytes <= this.budget;
  }

  /** @throws input error: not a model that can be run; resources error: not even one layer fits the budget. */
  static async open(file: GgufFile, options: EngineOptions): Promise<Engine> {
    const engine = new Engine(await readModel(file), options);
    const least = engine.streamingBytes();
    if (!engine.resident && least > engine.budget) {
      throw new BitmillError(
        'resources',
        `${file.name}: needs at least ${least} bytes of memory layer by layer, ${engine.budget} are allowed`,
        { hint: 'a higher --memory or a shorter context (-c) helps' },
      );
    }
    return engine;
  }

  /** Bytes for the largest segment and everything that is not weights. */
  streamingBytes(): number {
    const largest = Math.max(...segmentsOf(this.graphs).map((graph) => segmentBytes(this.backend, graph)));
    return largest + this.#workBytes() + cacheBytes(this.model, this.cacheType, this.contextSize);
  }

  /** The compiled form of a graph, made once. Several sequences must not feel each other: a lone one has no faster way. */
  program(graph: Graph): Program {
    const uniform = this.sequences > 1;
    const program = this.#programs.get(graph) ?? this.backend.compile(graph, { uniform });
    this.#programs.set(graph, program);
    return program;
  }

  /** Brings the weights of a graph to the backend and binds them; every `acquire` needs a `release`. */
  async acquire(graph: Graph): Promise<Bindings> {
    const bound: Bindings = new Map();
    for (const weight of graph.weights) bound.set(weight.name, await this.#acquireWeight(weight));
    return bound;
  }

  /** Weights of a resident model stay until `close`. */
  release(graph: Graph): void {
    if (this.resident) return;
    for (const { name } of graph.weights) {
      const entry = this.#weights.get(name);
      if (!entry || --entry.users > 0) continue;
      this.backend.free(entry.buffer);
      this.#weights.delete(name);
    }
  }

  /** Rotation angles of the positions of all spans, in buffers `cos` and `sin`, which are large enough. */
  writeAngles(bound: Bindings, spans: readonly Span[]): void {
    let at = 0;
    for (const { past, rows } of spans) {
      const { cos, sin } = this.graphs.rope.angles(past, rows);
      this.backend.write(need(bound, 'cos'), at, bytesOf(cos));
      this.backend.write(need(bound, 'sin'), at, bytesOf(sin));
      at += cos.byteLength;
    }
  }

  /** Fresh caches of one layer, bound as `keys` and `values`. */
  caches(positions: number): Bindings {
    const bytes = cacheBytes(this.model, this.cacheType, positions) / 2;
    return new Map([
      ['keys', this.backend.alloc(bytes, 'keys')],
      ['values', this.backend.alloc(bytes, 'values')],
    ]);
  }

  /** Frees the weights; the backend stays open for others. */
  close(): void {
    for (const { buffer } of this.#weights.values()) this.backend.free(buffer);
    this.#weights.clear();
  }

  #workBytes(): number {
    return workBytes(this.model, this.graphs, { T: this.batch, S: this.batch, past: 0 });
  }

  async #acquireWeight(weight: Weight): Promise<Buffer> {
    const known = this.#weights.get(weight.name);
    if (known) {
      known.users++;
      return known.buffer;
    }
    const { file } = this.model;
    const tensor = file.find(weight.name);
    if (!tensor) throw inputError(file.name, `tensor ${weight.name} is missing`);
    const read = (offset: number, length: number) => file.read(tensor, offset, length);
    const buffer = await this.backend.upload(weight, Object.assign(read, { place: file.place?.(tensor) }));
    this.#weights.set(weight.name, { buffer, users: 1 });
    return buffer;
  }
}

/** A buffer that must be bound. */
export function need(bound: ReadonlyMap<string, Buffer>, name: string): Buffer {
  const buffer = bound.get(name);
  if (!buffer) throw new Error(`${name} is not bound`);
  return buffer;
}

/** One step of a program with several sets of bindings; later ones win. */
export function step(
  program: Program,
  dims: Dims,
  ...bindings: readonly ReadonlyMap<string, Buffer>[]
): Step {
  return { program, dims, bind: new Map(bindings.flatMap((one) => [...one])) };
}
