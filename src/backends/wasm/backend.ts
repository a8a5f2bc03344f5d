/**
 * The wasm backend: WebAssembly SIMD over one shared memory, on any number of threads, in Node and browsers. All
 * results are the same bits on every machine and for every number of threads.
 */
import { usageError } from '../../core/index.ts';
import type { Dims, Graph, Weight } from '../../graph/index.ts';
import { FORMATS, formatBytes, type TensorFormat } from '../../quants/index.ts';
import type { Backend, Buffer, CompileOptions, Program, ReadBytes, Step } from '../backend.ts';
import { Area } from './area.ts';
import { Block, blockOf } from './buffer.ts';
import { type Crew, inlineCrew, type SpawnThread, workerCrew } from './crew.ts';
import { compileEngine, expandSlots, isMultiplied, kernelNames } from './engine.ts';
import { EngineMemory } from './memory.ts';
import { type Lowered, WasmProgram } from './program.ts';
import { spanTable } from './spans.ts';
import { BARRIER_BYTES, type Job } from './walk.ts';

/** Bytes that an upload reads at a time. */
const PIECE = 16 * 2 ** 20;

export interface WasmOptions {
  /** Threads that compute; more than one needs `spawn`. Default 1. */
  readonly threads?: number;
  /** Makes worker threads. Without it, everything runs on the caller's thread. */
  readonly spawn?: SpawnThread;
  /**
   * Whether relaxed SIMD may be used where the machine has it and passes a self-test; default true. Tokens one at a
   * time are faster then, with activations rounded to 8 bits as in llama.cpp; batches are the same.
   */
  readonly relaxed?: boolean;
  /** Limit of all buffers and workspace. Default: about 4 GiB, which is also the most. */
  readonly maxBytes?: number;
}

/** A run's tapes, and what they need of the workspace. */
interface Plan {
  readonly lowered: readonly Lowered[];
  /** Bytes of values and temporaries. */
  readonly values: number;
  /** Bytes of scratch a thread. */
  readonly scratch: number;
}

class WasmBackend implements Backend {
  readonly name = 'wasm';
  readonly #memory: EngineMemory;
  readonly #crew: Crew;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #slots: ReadonlyMap<string, number>;
  readonly #workspace: Area;
  readonly #tape: Area;
  readonly #spans: Area;
  #running = false;

  constructor(memory: EngineMemory, module: WebAssembly.Module, crew: Crew) {
    this.#memory = memory;
    this.#crew = crew;
    this.#numbers = new Map(kernelNames(module).map((name, i) => [name, i]));
    this.#slots = expandSlots(module);
    this.#workspace = new Area(memory, 'workspace');
    this.#tape = new Area(memory, 'commands');
    this.#spans = new Area(memory, 'spans');
  }

  get threads(): number {
    return this.#crew.threads;
  }

  get capacity(): number {
    return this.#memory.capacity;
  }

  get used(): number {
    return this.#memory.used;
  }

  multiplies(format: TensorFormat): boolean {
    return isMultiplied(format, this.#slots);
  }

  alloc(bytes: number, label: string): Buffer {
    return new Block(this.#alloc(bytes, label, true), bytes).buffer;
  }

  write(target: Buffer, offset: number, bytes: Uint8Array): void {
    const block = blockOf(target, 'write');
    this.#view(block, offset, bytes.length).set(bytes);
  }

  async read(source: Buffer, offset: number, length: number): Promise<Uint8Array> {
    return this.#view(blockOf(source, 'read'), offset, length).slice();
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const from = this.#view(blockOf(source, 'copy'), sourceOffset, bytes);
    this.#view(blockOf(target, 'copy'), targetOffset, bytes).set(from);
  }

  free(target: Buffer): void {
    const block = blockOf(target, 'free');
    block.live = false;
    this.#memory.free(block.address);
  }

  /** Vectors (norms, biases) become f32 as well: their kernels know nothing else. */
  async upload(weight: Weight, read: ReadBytes): Promise<Buffer> {
    const asIs = weight.rows > 1 && this.multiplies(weight.format);
    const format = asIs ? weight.format : FORMATS.F32;
    const bytes = formatBytes(format, weight.cols * weight.rows);
    const block = new Block(this.#alloc(bytes, weight.name, false), bytes, format);
    try {
      await this.#fill(block, weight, read);
    } catch (error) {
      this.free(block.buffer);
      throw error;
    }
    return block.buffer;
  }

  compile(graph: Graph, { uniform = false }: CompileOptions = {}): Program {
    return new WasmProgram(graph, uniform);
  }

  async run(steps: readonly Step[]): Promise<void> {
    if (this.#running) throw new Error('the wasm backend runs one run at a time');
    this.#running = true;
    try {
      await this.#crew.run(this.#job(this.#lower(steps)));
    } finally {
      this.#running = false;
    }
  }

  async close(): Promise<void> {
    await this.#crew.close();
  }

  /** Where there is no room, what is kept between runs goes: the next run makes it anew. */
  #alloc(bytes: number, label: string, clear: boolean): number {
    try {
      return this.#memory.alloc(bytes, label, clear);
    } catch (error) {
      if (this.#running) throw error;
      this.#workspace.release();
      this.#tape.release();
      this.#spans.release();
      return this.#memory.alloc(bytes, label, clear);
    }
  }

  #view(block: Block, offset: number, length: number): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > block.bytes) {
      throw new RangeError(`bytes ${offset} to ${offset + length} of a buffer of ${block.bytes}`);
    }
    return this.#memory.bytes(block.address + offset, length);
  }

  async #fill(block: Block, { format, cols, rows }: Weight, read: ReadBytes): Promise<void> {
    const total = formatBytes(format, cols * rows);
    const piece = Math.floor(PIECE / format.blockBytes) * format.blockBytes;
    for (let at = 0; at < total; at += piece) {
      const bytes = await read(at, Math.min(piece, total - at));
      if (block.format === format) this.#view(block, at, bytes.length).set(bytes);
      else {
        const first = (at / format.blockBytes) * format.blockSize;
        const count = (bytes.length / format.blockBytes) * format.blockSize;
        format.decode(bytes, new Float32Array(this.#memory.wasm.buffer, block.address + 4 * first, count));
      }
    }
  }

  /** All steps on tape, with a workspace that is large enough for each of them. */
  #lower(steps: readonly Step[]): Plan {
    const tables = this.#writeSpans(steps);
    for (;;) {
      const target = {
        threads: this.threads,
        numbers: this.#numbers,
        slots: this.#slots,
        workspace: this.#workspace.address,
      };
      const lowered = steps.map((step, i) => programOf(step).lower(step, { ...target, spans: tables[i] }));
      const values = roundUp(Math.max(0, ...lowered.map(({ bytes }) => bytes)));
      const scratch = roundUp(Math.max(0, ...lowered.map(({ scratch }) => scratch)));
      const needed = values + this.threads * scratch;
      if (needed <= this.#workspace.bytes) return { lowered, values, scratch };
      this.#workspace.reserve(needed);
      if (this.#workspace.address === target.workspace) return { lowered, values, scratch };
    }
  }

  /** Writes a table for each of the dims that steps have. @returns its address for every step. */
  #writeSpans(steps: readonly Step[]): number[] {
    const tables = new Map(steps.map(({ dims, program }) => [dims, spanTable(dims, program.graph.name)]));
    this.#spans.reserve([...tables.values()].reduce((sum, { length }) => sum + 4 * length, 0));
    const addresses = new Map<Dims, number>();
    let at = this.#spans.address;
    for (const [dims, table] of tables) {
      this.#memory.i32(at, table.length).set(table);
      addresses.set(dims, at);
      at += 4 * table.length;
    }
    return steps.map(({ dims }) => addresses.get(dims) ?? 0);
  }

  /** Writes the tape, zeroed counters and the barrier behind one another. */
  #job({ lowered, values, scratch }: Plan): Job {
    const length = lowered.reduce((sum, { tape }) => sum + tape.length, 0);
    const commands = lowered.reduce((sum, one) => sum + one.commands, 0);
    const counterBytes = roundUp(4 * commands);
    this.#tape.reserve(BARRIER_BYTES + counterBytes + 8 * length);
    const barrier = this.#tape.address;
    const counters = barrier + BARRIER_BYTES;
    const tape = counters + counterBytes;
    this.#memory.bytes(barrier, BARRIER_BYTES + counterBytes).fill(0);
    let at = 0;
    for (const one of lowered) {
      this.#memory.f64(tape, length).set(one.tape, at);
      at += one.tape.length;
    }
    const scratchStart = this.#workspace.address + values;
    return { tape, length, counters, scratch: scratchStart, scratchStride: scratch, barrier };
  }
}

/** Up to whole cache lines. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

function programOf({ program }: Step): WasmProgram {
  if (!(program instanceof WasmProgram))
    throw new Error(`${program.graph.name}: not compiled by this backend`);
  return program;
}

export async function wasmBackend({
  threads = 1,
  spawn,
  maxBytes,
  relaxed = true,
}: WasmOptions = {}): Promise<Backend> {
  if (!Number.isInteger(threads) || threads < 1) throw usageError(`${threads} threads: at least 1 is needed`);
  if (threads > 1 && !spawn) throw new Error(`${threads} threads need a way to spawn them`);
  const memory = new EngineMemory(maxBytes ?? Number.POSITIVE_INFINITY);
  const module = await compileEngine(relaxed);
  const site = { memory: memory.wasm, module };
  const crew = spawn ? await workerCrew(site, threads, spawn) : inlineCrew(site);
  return new WasmBackend(memory, module, crew);
}
