/**
 * What backends share that run tapes: buffers, uploads, programs lowered and laid out for the threads of a crew. Memory,
 * crew, kernels and lowerings are the backend's own.
 */
import type { Dims, Graph, Weight } from '../../graph/index.ts';
import { FORMATS, formatBytes, type TensorFormat } from '../../quants/index.ts';
import type { Backend, Buffer, CompileOptions, Program, ReadBytes, Step } from '../backend.ts';
import { Area } from './area.ts';
import { Block, blockOf, demandWritable, type HeldBytes } from './buffer.ts';
import type { KernelNumbers } from './encode.ts';
import { BARRIER_BYTES, type Crew, type Job } from './job.ts';
import type { Lowerings } from './lower.ts';
import type { TapeMemory } from './memory.ts';
import { type Lowered, TapeProgram } from './program.ts';
import { spanTable } from './spans.ts';

/** Bytes that an upload reads at a time. */
const PIECE = 16 * 2 ** 20;

/** What a backend brings. */
export interface TapeParts {
  readonly name: string;
  readonly level?: string;
  readonly memory: TapeMemory;
  readonly crew: Crew;
  readonly lowerings: Lowerings;
  readonly kernels: KernelNumbers;
  /** See LowerContext.slot. */
  readonly slots: ReadonlyMap<string, number>;
  /** Whether products take the format as it is. */
  multiplies(format: TensorFormat): boolean;
  /** The bytes that `read` gives, in place; absent or undefined where they have to be copied. */
  hold?(read: ReadBytes, bytes: number): HeldBytes | undefined;
}

/** A run's tapes, and what they need of the workspace. */
interface Plan {
  readonly lowered: readonly Lowered[];
  /** Bytes of values and temporaries. */
  readonly values: number;
  /** Bytes of scratch a thread. */
  readonly scratch: number;
}

export class TapeBackend implements Backend {
  readonly name: string;
  readonly level?: string;
  readonly #parts: TapeParts;
  readonly #memory: TapeMemory;
  readonly #crew: Crew;
  readonly #workspace: Area;
  readonly #tape: Area;
  readonly #spans: Area;
  #running = false;
  /** Blocks that were freed during a run, whose threads may still use them. */
  readonly #freedLater: Block[] = [];
  readonly #held = new Set<HeldBytes>();

  constructor(parts: TapeParts) {
    const { name, memory, crew } = parts;
    this.name = name;
    if (parts.level !== undefined) this.level = parts.level;
    this.#parts = parts;
    this.#memory = memory;
    this.#crew = crew;
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
    return this.#parts.multiplies(format);
  }

  alloc(bytes: number, label: string): Buffer {
    return new Block(this.#alloc(bytes, label, true), bytes).buffer;
  }

  write(target: Buffer, offset: number, bytes: Uint8Array): void {
    const block = blockOf(target, 'write');
    demandWritable(block, 'write');
    this.#view(block, offset, bytes.length).set(bytes);
  }

  async read(source: Buffer, offset: number, length: number): Promise<Uint8Array> {
    return this.#view(blockOf(source, 'read'), offset, length).slice();
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const [from, to] = [blockOf(source, 'copy'), blockOf(target, 'copy')];
    demandWritable(to, 'copy');
    const view = this.#view(from, sourceOffset, bytes);
    // Two views of native memory do not know that they overlap.
    this.#view(to, targetOffset, bytes).set(from === to ? view.slice() : view);
  }

  free(target: Buffer): void {
    const block = blockOf(target, 'free');
    block.live = false;
    if (this.#running) this.#freedLater.push(block);
    else this.#release(block);
  }

  /** Vectors (norms, biases) become f32 as well: their kernels know nothing else. */
  async upload(weight: Weight, read: ReadBytes): Promise<Buffer> {
    const asIs = weight.rows > 1 && this.multiplies(weight.format);
    const format = asIs ? weight.format : FORMATS.F32;
    const bytes = formatBytes(format, weight.cols * weight.rows);
    const held = asIs ? this.#parts.hold?.(read, bytes) : undefined;
    if (held) return this.#hold(held, format).buffer;
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
    return new TapeProgram(graph, this.#parts.lowerings, uniform);
  }

  async run(steps: readonly Step[]): Promise<void> {
    if (this.#running) throw new Error(`the ${this.name} backend runs one run at a time`);
    this.#running = true;
    try {
      await this.#crew.run(this.#job(this.#lower(steps)));
    } finally {
      this.#running = false;
      for (const block of this.#freedLater.splice(0)) this.#release(block);
    }
  }

  async close(): Promise<void> {
    await this.#crew.close();
    this.#memory.close();
    for (const held of this.#held) held.release();
    this.#held.clear();
  }

  #hold(held: HeldBytes, format: TensorFormat): Block {
    const block = new Block(held.address, held.bytes, format, held);
    this.#held.add(held);
    return block;
  }

  #release({ address, held }: Block): void {
    if (held) {
      this.#held.delete(held);
      held.release();
    } else this.#memory.free(address);
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
        format.decode(bytes, f32Of(this.#memory.bytes(block.address + 4 * first, 4 * count)));
      }
    }
  }

  /** All steps on tape, with a workspace that is large enough for each of them. */
  #lower(steps: readonly Step[]): Plan {
    const tables = this.#writeSpans(steps);
    for (;;) {
      const target = {
        threads: this.threads,
        numbers: this.#parts.kernels,
        slots: this.#parts.slots,
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
      this.#memory.bytes(at, table.byteLength).set(new Uint8Array(table.buffer));
      addresses.set(dims, at);
      at += 4 * table.length;
    }
    return steps.map(({ dims }) => addresses.get(dims) ?? 0);
  }

  /** Writes the barrier, zeroed counters and the tape behind one another. */
  #job({ lowered, values, scratch }: Plan): Job {
    const length = lowered.reduce((sum, { tape }) => sum + tape.length, 0);
    const commands = lowered.reduce((sum, one) => sum + one.commands, 0);
    const counterBytes = roundUp(this.#crew.counterBytes * commands);
    this.#tape.reserve(BARRIER_BYTES + counterBytes + 8 * length);
    const barrier = this.#tape.address;
    const counters = barrier + BARRIER_BYTES;
    const tape = counters + counterBytes;
    this.#memory.bytes(barrier, BARRIER_BYTES + counterBytes).fill(0);
    let at = tape;
    for (const one of lowered) {
      this.#memory.bytes(at, one.tape.byteLength).set(new Uint8Array(one.tape.buffer));
      at += one.tape.byteLength;
    }
    const scratchStart = this.#workspace.address + values;
    const work = lowered.reduce((sum, one) => sum + one.work, 0);
    return { tape, length, counters, scratch: scratchStart, scratchStride: scratch, barrier, work };
  }
}

function f32Of({ buffer, byteOffset, length }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, length / 4);
}

/** Up to whole cache lines. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

function programOf({ program }: Step): TapeProgram {
  if (!(program instanceof TapeProgram))
    throw new Error(`${program.graph.name}: not compiled by this backend`);
  return program;
}
