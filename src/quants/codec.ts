/** Encoding and decoding of whole rows in any format, by its WebAssembly kernel where it has one. */
import { BitmillError } from '../core/index.ts';
import { type Kernel, kernels } from '../kernels/index.ts';
import { type Effort, formatBytes, type TensorFormat } from './format.ts';

export interface EncodeOptions {
  /** Importance of each column, mean squared activation `[cols]`; null: all equal. */
  readonly importance?: Float32Array | null;
  readonly effort?: Effort;
  /** `plain` forces the TypeScript encoder (the oracle); default: the kernel where there is one. */
  readonly engine?: 'kernel' | 'plain';
}

/** Weights that one kernel call encodes at most, so that its memory stays small. */
const CHUNK_WEIGHTS = 1 << 20;

const prepared = new Map<string, Kernel | undefined>();

/** The `<prefix>_encode` kernel of a format, set up; undefined where it has none. */
function encodeKernel(format: TensorFormat): Kernel | undefined {
  if (format.kernel === undefined) return undefined;
  if (prepared.has(format.kernel)) return prepared.get(format.kernel);
  const k = kernels();
  const setup = k.find(`${format.kernel}_setup`);
  if (setup && format.kernelTables) {
    const tables = format.kernelTables();
    const address = k.alloc(tables.length);
    k.u8(address, tables.length).set(tables);
    setup(address);
  }
  const encode = k.find(`${format.kernel}_encode`);
  prepared.set(format.kernel, encode);
  return encode;
}

/** Whether weights can be stored in a format, by a kernel or in plain TypeScript. */
export function canEncode(format: TensorFormat): boolean {
  return format.encode !== undefined || format.kernel !== undefined;
}

/** Throws unless rows of `cols` weights can be stored in `format`. */
function checkRowLength(format: TensorFormat, cols: number): void {
  if (cols % format.blockSize !== 0) {
    throw new RangeError(
      `rows of ${cols} weights are not whole ${format.name} blocks of ${format.blockSize}`,
    );
  }
}

/**
 * Encodes a row-major matrix.
 * @param src `rows * cols` weights, finite (others are the caller's to refuse: tensors are checked on reading).
 * @returns `rows * cols / blockSize * blockBytes` bytes.
 * @throws RangeError: cols is not whole blocks. BitmillError: the format has no encoder.
 */
export function encode(
  format: TensorFormat,
  src: Float32Array,
  cols: number,
  options: EncodeOptions = {},
): Uint8Array {
  checkRowLength(format, cols);
  const { importance = null, effort = 'fast', engine = 'kernel' } = options;
  const job = { format, src, dst: new Uint8Array(formatBytes(format, src.length)), cols, importance, effort };
  const kernel = engine === 'kernel' ? encodeKernel(format) : undefined;
  if (kernel) encodeWithKernel(kernel, job);
  else encodePlain(job);
  return job.dst;
}

/** What `encode` was asked for, and where the blocks go. */
interface EncodeJob {
  readonly format: TensorFormat;
  readonly src: Float32Array;
  readonly dst: Uint8Array;
  readonly cols: number;
  readonly importance: Float32Array | null;
  readonly effort: Effort;
}

function encodePlain({ format, src, dst, cols, importance, effort }: EncodeJob): void {
  if (!format.encode) throw new BitmillError('usage', `${format.name} has no encoder`);
  const rowBytes = formatBytes(format, cols);
  for (let row = 0; row * cols < src.length; row++) {
    format.encode(
      src.subarray(row * cols, (row + 1) * cols),
      dst.subarray(row * rowBytes, (row + 1) * rowBytes),
      importance,
      effort,
    );
  }
}

function encodeWithKernel(kernel: Kernel, { format, src, dst, cols, importance, effort }: EncodeJob): void {
  const k = kernels();
  const rowBytes = formatBytes(format, cols);
  const rowsAtOnce = Math.max(1, Math.floor(CHUNK_WEIGHTS / cols));
  const mark = k.mark();
  const input = k.alloc(4 * rowsAtOnce * cols);
  const output = k.alloc(rowsAtOnce * rowBytes);
  const weights = importance ? k.alloc(4 * cols) : 0;
  if (importance) k.f32(weights, cols).set(importance);
  for (let row = 0; row * cols < src.length; row += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, src.length / cols - row);
    k.f32(input, rows * cols).set(src.subarray(row * cols, (row + rows) * cols));
    kernel(input, output, weights, rows, cols, effort === 'best' ? 1 : 0);
    dst.set(k.u8(output, rows * rowBytes), row * rowBytes);
  }
  k.release(mark);
}

/** Decodes whole blocks. @param count weights. */
export function decode(format: TensorFormat, src: Uint8Array, count: number): Float32Array {
  const dst = new Float32Array(count);
  format.decode(src, dst);
  return dst;
}
