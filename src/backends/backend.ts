/**
 * What runs graphs. A backend owns its memory: pointers, the 4 GiB of WebAssembly and GPU buffers never leave it.
 * Every backend computes the same function as `reference`; how close is said in its own file.
 */
import type { FilePlace } from '../core/index.ts';
import type { Dims, Graph, Weight } from '../graph/index.ts';
import type { TensorFormat } from '../quants/index.ts';

declare const buffer: unique symbol;

/** Bytes that a backend holds; only the backend that made it can use it. */
export interface Buffer {
  readonly [buffer]: true;
  readonly bytes: number;
}

/** A graph ready to run, any number of times and with any dims. */
export interface Program {
  readonly graph: Graph;
}

export interface CompileOptions {
  /**
   * Whether a token's numbers are the same bits in any company. Without it, a backend may compute a lone token with less
   * precision for its speed. Default false.
   */
  readonly uniform?: boolean;
}

/** One program with everything that it names: inputs, outputs, weights, caches and sums by their names. */
export interface Step {
  readonly program: Program;
  readonly dims: Dims;
  readonly bind: ReadonlyMap<string, Buffer>;
}

/** Reads part of the data of a tensor: `length` bytes from `offset`. */
export interface ReadBytes {
  (offset: number, length: number): Promise<Uint8Array>;
  /** Where the same bytes can be had in place; absent where they come from elsewhere or would have to be turned. */
  readonly place?: FilePlace | undefined;
}

export interface Backend {
  readonly name: string;
  /** Of its machine code, where it has several. */
  readonly level?: string;
  readonly threads: number;
  /** Bytes that all buffers together may take; Infinity where only the machine's memory limits it. */
  readonly capacity: number;
  /** Bytes that buffers and workspace take now. */
  readonly used: number;
  /** Whether products take this format as it is; other formats are widened to f32 at upload. */
  multiplies(format: TensorFormat): boolean;
  /** Zeroed bytes. @throws resources error: no room, with what was asked for and what there is. */
  alloc(bytes: number, label: string): Buffer;
  write(target: Buffer, offset: number, bytes: Uint8Array): void;
  /** A copy. */
  read(source: Buffer, offset: number, length: number): Promise<Uint8Array>;
  /** Copies bytes from one buffer to another, or within one: then as if by way of a third. */
  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void;
  free(target: Buffer): void;
  /** Brings a tensor in, piece by piece. */
  upload(weight: Weight, read: ReadBytes): Promise<Buffer>;
  compile(graph: Graph, options?: CompileOptions): Program;
  /** Runs the steps in order; when it resolves, outputs, caches and sums are written. One run at a time. */
  run(steps: readonly Step[]): Promise<void>;
  close(): Promise<void>;
}

/** f32 values as bytes for `write`, without a copy. */
export function bytesOf(values: Float32Array | Float64Array | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

export async function readF32(backend: Backend, source: Buffer, count: number): Promise<Float32Array> {
  return new Float32Array((await backend.read(source, 0, 4 * count)).buffer as ArrayBuffer, 0, count);
}
