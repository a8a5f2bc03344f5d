/**
 * Caps on what a header may declare. Everything is also checked against the bytes that the file really has,
 * before anything is allocated; the caps keep honest-looking but absurd files from eating the machine.
 */
export interface GgufLimits {
  /** Bytes a string. */
  readonly stringBytes: number;
  /** Elements a metadata array. */
  readonly arrayLength: number;
  /** Elements an array of the tokenizer (`tokenizer.` keys): vocabularies and merges are long. */
  readonly tokenArrayLength: number;
  /** Metadata pairs. */
  readonly pairs: number;
  readonly tensors: number;
  /** Levels of arrays inside arrays. */
  readonly nesting: number;
  /** Bytes; also the largest alignment that is written. */
  readonly alignment: number;
  /** Bytes before the tensor data. */
  readonly headerBytes: number;
}

export const DEFAULT_LIMITS: GgufLimits = {
  stringBytes: 10_000_000,
  arrayLength: 1_000_000,
  tokenArrayLength: 16_000_000,
  pairs: 100_000,
  tensors: 1_000_000,
  nesting: 4,
  alignment: 1 << 20,
  headerBytes: 2 ** 28,
};

/** Longest metadata key in bytes, as in ggml. */
export const MAX_KEY_BYTES = 65_535;

/** Longest tensor name in bytes: ggml's names have 64 with the closing NUL. */
export const MAX_NAME_BYTES = 63;

export const MAX_DIMENSIONS = 4;

/** Alignment of tensor data where the metadata does not say, in bytes. */
export const DEFAULT_ALIGNMENT = 32;

export const ALIGNMENT_KEY = 'general.alignment';

/** What is wrong with an alignment, or undefined. Arithmetic only: 32-bit operators fail beyond 2^31. */
export function alignmentProblem(alignment: number, largest = DEFAULT_LIMITS.alignment): string | undefined {
  if (!Number.isSafeInteger(alignment) || alignment < 1 || !Number.isInteger(Math.log2(alignment))) {
    return `alignment ${alignment} is not a power of two`;
  }
  return alignment > largest ? `alignment ${alignment} is above the limit of ${largest} bytes` : undefined;
}
