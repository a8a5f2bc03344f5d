/** Calibration texts as chunks of tokens: sequences of one length that never overlap. */
import { inputError } from '../core/index.ts';

/** Tokens of one text, one stream. */
export interface TokenText {
  /** Base name of its file. */
  readonly name: string;
  readonly tokens: Int32Array;
  /** Its sums and counts are multiplied by this. */
  readonly weight: number;
}

export interface ChunkOptions {
  /** Tokens a chunk. */
  readonly size: number;
  /** Takes the place of the first token of each chunk; undefined where the vocabulary wants none. */
  readonly bos?: number | undefined;
  /** Chunks left out at the beginning. */
  readonly skip?: number;
  /** Chunks taken at most. */
  readonly limit?: number;
}

/**
 * Whole chunks of a text; the tokens that are left over are dropped. llama.cpp asks for two chunks at least; one is
 * a meaningful measurement, too.
 * @throws input error: not one chunk, with the number of tokens found and needed.
 */
export function chunksOf({ name, tokens }: TokenText, options: ChunkOptions): Int32Array[] {
  const { size, bos, skip = 0, limit = Number.POSITIVE_INFINITY } = options;
  const whole = Math.floor(tokens.length / size);
  if (tokens.length === 0) throw inputError(name, 'is empty: there is nothing to measure');
  if (whole === 0) {
    throw inputError(
      name,
      `has ${tokens.length} tokens, one chunk needs ${size}`,
      'a longer text, or shorter chunks (-c)',
    );
  }
  if (whole <= skip) throw inputError(name, `has ${whole} chunks, and --skip ${skip} leaves none`);
  return Array.from({ length: Math.min(whole - skip, limit) }, (_, i) => {
    const chunk = tokens.slice((skip + i) * size, (skip + i + 1) * size);
    if (bos !== undefined) chunk[0] = bos;
    return chunk;
  });
}

/** Token ids in decimal, parted by white space. @throws input error: anything else, with its line. */
export function parseTokenIds(name: string, text: string): Int32Array {
  const lines = text.split('\n');
  const ids = lines.flatMap((line, at) =>
    line
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => {
        const id = /^\d{1,10}$/.test(word) ? Number(word) : Number.POSITIVE_INFINITY;
        if (id >= 2 ** 31)
          throw inputError(`${name}:${at + 1}`, `${JSON.stringify(word.slice(0, 40))} is no token id`);
        return id;
      }),
  );
  return Int32Array.from(ids);
}
