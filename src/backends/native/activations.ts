/**
 * Activations as bytes, for products with quantized weights: what the kernel `quantize_bytes` writes and every product
 * reads. One or two planes of i8 codes. With one, x = scale * code, codes from -127 to 127. With two, x is
 * scale0 * code0 + scale1 * code1 with scale0 = 128 * scale1 and code1 from -64 to 63: 15 bits.
 *
 * A group is what shares a scale: 256 columns for formats in blocks of 256, else 32. Planes follow each other; in a plane
 * the tokens do. All three parts start at multiples of 64 bytes, as do rows of codes.
 */
export interface ActivationLayout {
  readonly planes: 1 | 2;
  readonly group: 256 | 32;
  /** Bytes from a token's i8 codes to the next one's; columns, and some more so that tokens do not share cache sets. */
  readonly codeStride: number;
  /** Bytes from a token's i16 sums of every 16 codes to the next one's. */
  readonly sumStride: number;
  /** Bytes from a token's f32 scales, one a group, to the next one's. */
  readonly scaleStride: number;
  /** Offsets of the three parts, and the bytes of all. */
  readonly codes: number;
  readonly sums: number;
  readonly scales: number;
  readonly bytes: number;
}

const LINE = 64;

const lines = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;

/** @param tokens rows of every plane. @param cols a multiple of `group`. */
export function activationLayout(
  tokens: number,
  cols: number,
  group: 256 | 32,
  planes: 1 | 2,
): ActivationLayout {
  // An odd number of cache lines: rows of 8192 codes would all begin in one cache set.
  const codeLines = lines(cols) / LINE;
  const codeStride = LINE * (codeLines + 1 - (codeLines % 2));
  const sumStride = lines(cols / 8);
  const scaleStride = lines((4 * cols) / group);
  const sums = planes * tokens * codeStride;
  const scales = sums + planes * tokens * sumStride;
  const bytes = scales + planes * tokens * scaleStride;
  return { planes, group, codeStride, sumStride, scaleStride, codes: 0, sums, scales, bytes };
}
