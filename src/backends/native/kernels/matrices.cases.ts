/** Matrices for tests of single kernels: rows with a gap behind each, whose bytes no kernel may change. */
import { normal, sample } from '../../../../test/random.ts';
import type { KernelBench } from '../testing.cases.ts';

/** A matrix in the bench's memory. */
export interface TestMatrix {
  readonly address: number;
  /** Bytes from row to row. */
  readonly stride: number;
  /** Row by row, without the gaps. @throws Error: a gap was written to. */
  read(): Float32Array;
}

/** What stands in the gaps, and in fresh outputs. */
const UNTOUCHED = -123456;
/** Numbers between rows: so that rows do not begin at multiples of a vector. */
const GAP = 3;

/** @param values rows without gaps. @param gap numbers between them. */
export function putMatrix(bench: KernelBench, values: Float32Array, cols: number, gap = GAP): TestMatrix {
  const rows = values.length / cols;
  const width = cols + gap;
  const spread = new Float32Array(rows * width).fill(UNTOUCHED);
  for (let r = 0; r < rows; r++) spread.set(values.subarray(r * cols, (r + 1) * cols), r * width);
  const address = bench.put(spread);
  return {
    address,
    stride: 4 * width,
    read: () => {
      const now = bench.f32(address, rows * width);
      const found = new Float32Array(rows * cols);
      for (let r = 0; r < rows; r++) {
        found.set(now.subarray(r * width, r * width + cols), r * cols);
        const behind = now.subarray(r * width + cols, (r + 1) * width);
        if (behind.some((value) => value !== UNTOUCHED))
          throw new Error(`the gap behind row ${r} was written to`);
      }
      return found;
    },
  };
}

/** A matrix to write to. */
export const emptyMatrix = (bench: KernelBench, rows: number, cols: number): TestMatrix =>
  putMatrix(bench, new Float32Array(rows * cols).fill(UNTOUCHED), cols);

export const normals = (count: number, seed: number, scale = 1): Float32Array =>
  sample(count, normal(seed), scale);

/** Largest difference relative to the largest magnitude of `wanted`. */
export function errorOf(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  const all = Array.from(wanted, (value, i) => Math.abs(value - found[i]));
  const size = Array.from(wanted, Math.abs).reduce((a, b) => Math.max(a, b), 0);
  return all.reduce((a, b) => (Number.isNaN(b) ? Number.POSITIVE_INFINITY : Math.max(a, b)), 0) / (size || 1);
}
