/**
 * GGUF as data: metadata with exact types, tensors with shapes and places. A reader turns bytes into this,
 * `layoutGguf` turns this into the bytes of a header and the offsets of the tensor data.
 */
import type { FilePlace } from '../core/index.ts';
import type { TensorFormat } from '../quants/index.ts';

/** Metadata value types by their number in the file. */
export const VALUE_TYPES = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

export type ValueType = keyof typeof VALUE_TYPES;
export type ScalarType = Exclude<ValueType, 'array'>;

/** u64 and i64 are bigint, other numbers are number. */
export type Scalar = number | bigint | boolean | string;

export interface GgufScalar {
  readonly type: ScalarType;
  readonly value: Scalar;
}

export interface GgufArray {
  readonly type: 'array';
  /** Type of every element; `array` for nested arrays, whose elements are GgufArray. */
  readonly of: ValueType;
  readonly value: readonly Scalar[] | readonly GgufArray[];
}

export type GgufValue = GgufScalar | GgufArray;

/** In file order. A Map, so that keys such as `__proto__` are just keys. */
export type Metadata = Map<string, GgufValue>;

/** What a writer needs to know of a tensor. */
export interface TensorSpec {
  readonly name: string;
  readonly format: TensorFormat;
  /** ggml's order: fastest-varying dimension (the row length) first; 1 to 4 dimensions. */
  readonly shape: readonly number[];
}

export interface GgufTensor extends TensorSpec {
  /** Number of weights. */
  readonly weights: number;
  readonly bytes: number;
  /** Absolute byte offset of the data in its file. */
  readonly offset: number;
  /** Which of the file's shards holds it; 0 for a file in one piece. */
  readonly shard: number;
}

/** An open GGUF, in one piece or in shards. */
export interface GgufFile {
  /** Path or URL, of the first shard. */
  readonly name: string;
  readonly version: 2 | 3;
  readonly littleEndian: boolean;
  readonly alignment: number;
  /** Bytes of all shards. */
  readonly size: number;
  readonly shards: readonly string[];
  readonly metadata: Metadata;
  /** In file order. */
  readonly tensors: readonly GgufTensor[];
  find(name: string): GgufTensor | undefined;
  /**
   * Little-endian data bytes of a tensor (big-endian files are swapped), all or a range that holds whole blocks.
   * Fresh memory: the caller may transfer it.
   */
  read(tensor: GgufTensor, offset?: number, length?: number): Promise<Uint8Array>;
  /** Where those bytes lie in a plain file; absent or undefined where they come from elsewhere or are swapped. */
  place?(tensor: GgufTensor): FilePlace | undefined;
  close(): Promise<void>;
}

/** Where everything of a file to be written goes. */
export interface GgufLayout {
  /** All bytes before the tensor data, padding included. Write at 0. */
  readonly header: Uint8Array;
  /** Absolute offset of each tensor's data, in the order of the specs. Gaps are zero. */
  readonly offsets: readonly number[];
  /** Size of the whole file, with the padding after the last tensor. */
  readonly size: number;
}
