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
  /** One per target, in order; none where a weight is not finite. */
  readonly encoded: Uint8Array[];
  /** Time that each took. */
  readonly milliseconds: number[];
  /** Index of the first weight that is NaN or infinite, with its value; such weights are not to be trusted. */
  readonly nonFinite: { readonly index: number; readonly value: number } | null;
}

function findNonFinite(weights: Float32Array): EncodeOutput['nonFinite'] {
  for (let index = 0; index < weights.length; index++) {
    const value = weights[index];
    // Zero for every finite number, NaN for the others; a call of Number.isFinite costs more than the decoding.
    if (value - value !== 0) return { index, value };
  }
  return null;
}

export const encodeJob: Job<EncodeInput, EncodeOutput> = {
  name: 'quants.encode',
  run: ({ source, bytes, cols, targets }) => {
    const format = FORMATS[source];
    const weights = decode(format, bytes, (bytes.length / format.blockBytes) * format.blockSize);
    const nonFinite = findNonFinite(weights);
    if (nonFinite) return { encoded: [], milliseconds: [], nonFinite };
    const milliseconds: number[] = [];
    const encoded = targets.map(({ format: target, importance, effort }) => {
      const start = performance.now();
      const done =
        target === source ? bytes.slice() : encode(FORMATS[target], weights, cols, { importance, effort });
      milliseconds.push(performance.now() - start);
      return done;
    });
    return { encoded, milliseconds, nonFinite };
  },
  transferOutput: ({ encoded }) => encoded.map((bytes) => bytes.buffer),
};
