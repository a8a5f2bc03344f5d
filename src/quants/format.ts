/**
 * What a tensor format is to the rest of bitmill: its name and id in GGUF files, its block size, and how its
 * bytes become weights and back. A format with only `decode` already loads, inspects and dequantizes.
 */

/** Version of the block layouts as ggml counts them, for `general.quantization_version`. */
export const QUANTIZATION_VERSION = 2;

/** How hard an encoder searches: `fast` for everyday use, `best` for a published file. */
export type Effort = 'fast' | 'best';

export const EFFORTS = ['fast', 'best'] as const satisfies readonly Effort[];

/**
 * A block as integers: weight i of a group is `d * c[i] - dmin * min[i / 16]` with |c| <= 4096. The engine's kernel
 * `<name in small letters>_expand(src, blocks, codes, scales, mins)` writes whole blocks, natural order: codes i16, one a
 * weight; scales f32, the pair d and dmin a group; mins i16, one per 16 weights, only where `mins` is set and groups
 * are 256. In smaller groups every min is 1, so dmin is what is subtracted from each weight.
 */
export interface Plane {
  /** Weights that share d and dmin. */
  readonly group: 256 | 32 | 16;
  /** Whether dmin can be other than 0. */
  readonly mins: boolean;
}

export interface TensorFormat {
  /** ggml's name in capitals, as in `Q4_K`. */
  readonly name: string;
  /** ggml type id, as stored in GGUF tensor infos. */
  readonly id: number;
  /** Weights a block; rows are whole blocks. */
  readonly blockSize: number;
  /** Bytes a block. */
  readonly blockBytes: number;
  /** `float`: one IEEE value a weight. `integer`: plain integers. `quantized`: scaled codes. */
  readonly kind: 'float' | 'integer' | 'quantized';
  /** The layout of a block in words. */
  readonly layout: string;
  /**
   * Whole blocks to f32, bit for bit as ggml decodes them; the definition of the format.
   * @param src `n * blockBytes` bytes. @param dst `n * blockSize` weights.
   */
  readonly decode: (src: Uint8Array, dst: Float32Array) => void;
  /**
   * One row to blocks, in plain TypeScript: the oracle of the kernel, and the encoder where there is none.
   * Total on finite and non-finite input alike: never writes a NaN or infinite scale.
   * @param src the weights of a row, a multiple of `blockSize`.
   * @param importance importance of each column (mean squared activation), or null for equal importance.
   */
  readonly encode?: RowEncoder;
  /**
   * Prefix of the WebAssembly kernel's exports. `<prefix>_encode(src, dst, importance, rows, cols, effort)`:
   * addresses of f32 rows, of the output blocks and of f32 importance (0: none), effort 0 fast, 1 best.
   * `<prefix>_setup(address of tables)` is called once after `kernelTables` were copied in, if both exist.
   */
  readonly kernel?: string;
  /** Bytes that the kernel needs in its memory, e.g. a codebook. */
  readonly kernelTables?: () => Uint8Array;
  /** How the engine multiplies it: the format's integer plane. Without one, products widen it to f32. */
  readonly plane?: Plane;
  /** Garbage without an importance matrix: refused there for block tensors, as llama.cpp does. */
  readonly requiresImportance?: boolean;
}

export type RowEncoder = (
  src: Float32Array,
  dst: Uint8Array,
  importance: Float32Array | null,
  effort: Effort,
) => void;

/** Little-endian view of the same bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A `decode` from a function that decodes the block at byte `at` into `dst` from weight `out` on. */
export function perBlock(
  blockBytes: number,
  blockSize: number,
  block: (view: DataView, at: number, dst: Float32Array, out: number) => void,
): TensorFormat['decode'] {
  return (src, dst) => {
    const view = viewOf(src);
    const blocks = Math.floor(dst.length / blockSize);
    for (let b = 0; b < blocks; b++) block(view, b * blockBytes, dst, b * blockSize);
  };
}

/** An `encode` from a function that encodes the weights of `src` from `from` on into the block at byte `at`. */
export function encodeBlocks(
  blockBytes: number,
  blockSize: number,
  block: (
    src: Float32Array,
    importance: Float32Array | null,
    from: number,
    dst: Uint8Array,
    at: number,
    effort: Effort,
  ) => void,
): RowEncoder {
  return (src, dst, importance, effort) => {
    for (let b = 0; b < src.length / blockSize; b++) {
      block(src, importance, b * blockSize, dst, b * blockBytes, effort);
    }
  };
}

/** Bytes of `weights` weights (whole blocks) in a format; exact up to 2^53. */
export function formatBytes(format: TensorFormat, weights: number): number {
  return (weights / format.blockSize) * format.blockBytes;
}
