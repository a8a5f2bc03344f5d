/** How the reference backend sees memory: matrices with strides, rows of weights and caches as numbers. */
import { f32ToF16 } from '../../core/index.ts';
import {
  type Cache,
  type CacheType,
  cacheRowBytes,
  type Dims,
  type Sums,
  type Value,
  type Weight,
} from '../../graph/index.ts';
import { decode, FORMATS, formatBytes } from '../../quants/index.ts';

/** Rows of equal length, `stride` numbers apart. */
export interface Matrix<A extends Float32Array | Int32Array = Float32Array> {
  readonly rows: number;
  readonly cols: number;
  /** A view: writing to it writes to the matrix. */
  row(index: number): A;
}

export function matrix<A extends Float32Array | Int32Array>(
  data: A,
  rows: number,
  cols: number,
  stride = cols,
  column = 0,
): Matrix<A> {
  return {
    rows,
    cols,
    row: (index) => data.subarray(index * stride + column, index * stride + column + cols) as A,
  };
}

/** What an operation finds in a run. */
export interface RunMemory {
  readonly dims: Dims;
  floats(value: Value): Matrix;
  integers(value: Value): Matrix<Int32Array>;
  /** Bytes of a weight, a cache or sums. */
  bytes(operand: Weight | Cache | Sums): Uint8Array;
}

/** One row of a weight as f32, whatever its format. @throws Error: there is no such row. */
export function weightRow(
  { name, format, cols, rows }: Weight,
  bytes: Uint8Array,
  row: number,
): Float32Array {
  if (!(row >= 0 && row < rows)) throw new Error(`${name}: row ${row} of ${rows} rows`);
  const size = formatBytes(format, cols);
  return decode(format, bytes.subarray(row * size, (row + 1) * size), cols);
}

/** Weights of a q8_0 block: f16 scale, then 32 signed bytes. */
const Q8_BLOCK = 32;
const Q8_BYTES = 34;

/**
 * A row as q8_0 blocks: scale = largest magnitude / 127, codes rounded from the unrounded scale, halves to even. A
 * cache is written once a token, so there is no search.
 */
function storeQ8(x: Float32Array, view: DataView, at: number): void {
  for (let block = 0; block < x.length / Q8_BLOCK; block++) {
    const part = x.subarray(block * Q8_BLOCK, (block + 1) * Q8_BLOCK);
    const scale = Math.fround(part.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const start = at + block * Q8_BYTES;
    view.setUint16(start, f32ToF16(scale), true);
    part.forEach((value, i) => {
      view.setInt8(start + 2 + i, roundToEven(Math.fround(value * inverse)));
    });
  }
}

function roundToEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

interface CacheCodec {
  readonly store: (x: Float32Array, view: DataView, at: number) => void;
  readonly load: (bytes: Uint8Array, cols: number) => Float32Array;
}

const CACHE_CODECS = {
  f32: {
    store: (x, view, at) => {
      for (const [i, value] of x.entries()) view.setFloat32(at + 4 * i, value, true);
    },
    load: (bytes, cols) => decode(FORMATS.F32, bytes, cols),
  },
  f16: {
    store: (x, view, at) => {
      for (const [i, value] of x.entries()) view.setUint16(at + 2 * i, f32ToF16(value), true);
    },
    load: (bytes, cols) => decode(FORMATS.F16, bytes, cols),
  },
  q8_0: {
    store: storeQ8,
    load: (bytes, cols) => decode(FORMATS.Q8_0, bytes, cols),
  },
} as const satisfies Record<CacheType, CacheCodec>;

/** Writes a row of a cache in its type. @param position row of the cache. */
export function storeCacheRow(cache: Cache, bytes: Uint8Array, position: number, x: Float32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  CACHE_CODECS[cache.type].store(x, view, position * cacheRowBytes(cache));
}

/** Rows `start .. start + positions` of a cache as f32. */
export function loadCache(cache: Cache, bytes: Uint8Array, start: number, positions: number): Matrix {
  const size = cacheRowBytes(cache);
  const data = new Float32Array(positions * cache.cols);
  for (let p = 0; p < positions; p++) {
    const row = bytes.subarray((start + p) * size, (start + p + 1) * size);
    data.set(CACHE_CODECS[cache.type].load(row, cache.cols), p * cache.cols);
  }
  return matrix(data, positions, cache.cols);
}
