/**
 * The reference backend: plain TypeScript, one thread, slow and right. It is the meaning of every operation; other
 * backends are tested against it. Weights stay in their format and are decoded row by row where they are used; sums
 * are f64; each result is rounded to f32 once.
 */
import { BitmillError } from '../core/index.ts';
import { type Dims, type Graph, rowsOf, storage, type Value } from '../graph/index.ts';
import type { TensorFormat } from '../quants/index.ts';
import type { Backend, Buffer, Program, ReadBytes, Step } from './backend.ts';
import { bound, checkBindings, weightBytes } from './binding.ts';
import { type Matrix, matrix, type RunMemory } from './reference/memory.ts';
import { compute } from './reference/ops.ts';

/** Tensors are read in pieces of about this many bytes, whole rows each. */
const PIECE = 1 << 24;

class Memory {
  readonly bytes: number;
  /** Undefined when freed. */
  data: Uint8Array | undefined;

  constructor(bytes: number, label: string) {
    this.bytes = bytes;
    try {
      // Whole multiples of 8, so that any part can be seen as f64.
      this.data = new Uint8Array(8 * Math.ceil(bytes / 8));
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new BitmillError('resources', `${label}: no room for ${bytes} bytes`, { cause });
    }
  }
}

function dataOf(buffer: Buffer): Uint8Array {
  const memory: object = buffer;
  if (!(memory instanceof Memory)) throw new Error('a buffer of another backend');
  if (!memory.data) throw new Error('a buffer that was freed');
  return memory.data;
}

/** @throws Error: bytes outside of the buffer. */
function range(buffer: Buffer, offset: number, length: number): Uint8Array {
  if (!(offset >= 0 && length >= 0 && offset + length <= buffer.bytes)) {
    throw new Error(`bytes ${offset} to ${offset + length} of a buffer of ${buffer.bytes}`);
  }
  return dataOf(buffer).subarray(offset, offset + length);
}

/** Values of a run: bound ones in their buffers, the others each in memory of its own. */
class Run implements RunMemory {
  readonly dims: Dims;
  readonly #step: Step;
  readonly #values = new Map<number, Uint8Array>();

  constructor(step: Step) {
    this.dims = step.dims;
    this.#step = step;
    const { inputs, outputs } = step.program.graph;
    for (const [name, value] of [...inputs, ...outputs]) {
      this.#values.set(value.id, dataOf(bound(step, name)));
    }
  }

  floats(value: Value): Matrix {
    const { buffer, byteOffset, byteLength } = this.#bytesOf(value);
    return this.#matrix(new Float32Array(buffer, byteOffset, byteLength / 4), value);
  }

  integers(value: Value): Matrix<Int32Array> {
    const { buffer, byteOffset, byteLength } = this.#bytesOf(value);
    return this.#matrix(new Int32Array(buffer, byteOffset, byteLength / 4), value);
  }

  bytes({ name }: { readonly name: string }): Uint8Array {
    return dataOf(bound(this.#step, name));
  }

  #matrix<A extends Float32Array | Int32Array>(data: A, value: Value): Matrix<A> {
    return matrix(data, rowsOf(value, this.dims), value.cols, storage(value).cols, value.view?.column ?? 0);
  }

  #bytesOf(value: Value): Uint8Array {
    const base = storage(value);
    const found = this.#values.get(base.id) ?? new Uint8Array(4 * base.cols * rowsOf(base, this.dims));
    this.#values.set(base.id, found);
    return found;
  }
}

class ReferenceBackend implements Backend {
  readonly name = 'reference';
  readonly threads = 1;
  readonly capacity = Number.POSITIVE_INFINITY;
  #used = 0;

  get used(): number {
    return this.#used;
  }

  multiplies(format: TensorFormat): boolean {
    return format.kind !== 'integer';
  }

  alloc(bytes: number, label: string): Buffer {
    const memory: object = new Memory(bytes, label);
    this.#used += bytes;
    return memory as Buffer;
  }

  write(target: Buffer, offset: number, bytes: Uint8Array): void {
    range(target, offset, bytes.length).set(bytes);
  }

  async read(source: Buffer, offset: number, length: number): Promise<Uint8Array> {
    return range(source, offset, length).slice();
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    range(target, targetOffset, bytes).set(range(source, sourceOffset, bytes));
  }

  free(target: Buffer): void {
    dataOf(target);
    (target as object as Memory).data = undefined;
    this.#used -= target.bytes;
  }

  async upload(weight: Parameters<Backend['upload']>[0], read: ReadBytes): Promise<Buffer> {
    const buffer = this.alloc(weightBytes(weight), weight.name);
    const row = buffer.bytes / weight.rows;
    const piece = row * Math.max(1, Math.floor(PIECE / row));
    for (let offset = 0; offset < buffer.bytes; offset += piece) {
      this.write(buffer, offset, await read(offset, Math.min(piece, buffer.bytes - offset)));
    }
    return buffer;
  }

  compile(graph: Graph): Program {
    return { graph };
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      checkBindings(step);
      const run = new Run(step);
      for (const node of step.program.graph.nodes) compute(node, run);
    }
  }

  async close(): Promise<void> {
    this.#used = 0;
  }
}

export function referenceBackend(): Backend {
  return new ReferenceBackend();
}
