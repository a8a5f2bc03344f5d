/** Sums of squares by column, for the importance matrix. */
import { defineKernel, type KernelSource } from '../kernel.ts';
import { eachColumns, lowerHalf } from './columns.ts';
import { eachPiece, spare } from './work.ts';

/** Columns that one thread claims at a time: 2 KiB of sums. */
const COLUMNS = 256;
/** Vectors of f64 sums that stay in registers over all rows. */
const SUMS = 8;

/** sums[c] += x[r, c]^2, rows in order, in f64; x f32 [rows, cols], sums f64 [cols]. */
const squareSum = defineKernel({
  name: 'square_sum',
  args: ['x', 'xStride', 'sums', 'rows', 'cols'],
  emit: (k) => {
    spare(k);
    eachPiece(
      k,
      [],
      (_, from, count) => {
        const { sums, xStride } = k.ints('sums', 'xStride');
        eachColumns(
          k,
          from,
          count,
          (parts) => {
            const totals = k.vecs('total', parts.length);
            const value = k.vec('value');
            for (const [i, part] of parts.entries()) part.load(totals[i], sums, 8);
            const { x, rows } = k.ints('x', 'rows');
            k.countdown(rows, () => {
              for (const [i, part] of parts.entries()) {
                part.load(lowerHalf(k, value), x);
                k.x.vcvtps2pd(value, lowerHalf(k, value));
                k.x.vfmadd231pd(totals[i], value, value);
              }
              k.x.add(x, xStride);
            });
            for (const [i, part] of parts.entries()) part.store(sums, totals[i], 8);
            k.free(...totals, value, x, rows);
          },
          { unroll: SUMS, lanes: k.lanes / 2 },
        );
        k.free(sums, xStride);
      },
      { size: COLUMNS, rows: 1 },
    );
  },
});

export const SQUARE_SUM_KERNELS: readonly KernelSource[] = [squareSum];
