/** Encoding as a job for a worker: raw tensor rows in, the same rows in several formats out. */
import type { Job } from '../core/index.ts';
import { decode, encode } from './codec.ts';
import type { Effort } from './format.ts';
import { FORMATS, type FormatName } from './registry.ts';

export interface EncodeInput {
  /** Format and bytes of whole rows as they stand in the source. */
  readonly source: FormatName;
  readonly bytes: Uint8Array;
  /** Weights a row. */
  readonly cols: number;
  /** The encodings wanted; equal ones are the caller's to merge. */
  readonly targets: readonly {
    readonly format: FormatName;
    readonly importance: Float32Array | null;
    readonly effort: Effort;
  }[];
}

export interface EncodeOutput {
  /** One per target, in order. */
  readonly encoded: Uint8Array[];
}

export const encodeJob: Job<EncodeInput, EncodeOutput> = {
  name: 'quants.encode',
  run: ({ source, bytes, cols, targets }) => {
    const format = FORMATS[source];
    const weights = decode(format, bytes, (bytes.length / format.blockBytes) * format.blockSize);
    const encoded = targets.map(({ format: target, importance, effort }) =>
      target === source ? bytes.slice() : encode(FORMATS[target], weights, cols, { importance, effort }),
    );
    return { encoded };
  },
  transferOutput: ({ encoded }) => encoded.map((bytes) => bytes.buffer),
};
