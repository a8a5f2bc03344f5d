/** Comparing rows of a tensor with the same rows of its original, as a job for a worker. */
import type { Job } from '../core/index.ts';
import { decode } from './codec.ts';
import { FORMATS, type FormatName } from './registry.ts';

/** Whole rows in a format. */
interface CodedRows {
  readonly format: FormatName;
  readonly bytes: Uint8Array;
}

export interface ErrorInput {
  readonly original: CodedRows;
  readonly quant: CodedRows;
  readonly weights: number;
  /** Importance of the columns, one a weight of a row; null: all equal. */
  readonly importance: Float32Array | null;
}

/** With importance v, weights x and decoded weights y, over all rows, in f64. */
export interface ErrorSums {
  /** Sum of v x^2. */
  readonly squares: number;
  /** Sum of v (x - y)^2. */
  readonly errors: number;
}

export const errorJob: Job<ErrorInput, ErrorSums> = {
  name: 'quants.error',
  run: ({ original, quant, weights, importance }) => {
    const x = decode(FORMATS[original.format], original.bytes, weights);
    const y = decode(FORMATS[quant.format], quant.bytes, weights);
    // Equal importance as one long row, so that there is one loop.
    const v = importance ?? new Float32Array(weights).fill(1);
    let squares = 0;
    let errors = 0;
    for (let row = 0; row < weights; row += v.length) {
      for (let i = 0; i < v.length; i++) {
        const own = x[row + i];
        const lost = own - y[row + i];
        squares += v[i] * own * own;
        errors += v[i] * lost * lost;
      }
    }
    return { squares, errors };
  },
};
