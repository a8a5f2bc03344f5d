/** Products with float weights against plain f64 code; bits of a token in any company. */
import { describe, expect, test } from 'vitest';
import { normal, sample } from '../../../../test/random.ts';
import { decode, encode, FORMATS } from '../../../quants/index.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { FLOAT_PRODUCTS, FLOAT_SCRATCH } from './product-float.ts';

if (testLevels.length === 0) console.log(`skipped: machine code, because ${noLevels}`);

const KINDS = [FORMATS.F32, FORMATS.F16, FORMATS.BF16].map((format, i) => ({
  format,
  name: format.name,
  kernel: FLOAT_PRODUCTS[i],
}));
const GAP = 3;

describe.each(testLevels.map((level) => ({ level: level.name, bench: new KernelBench(level) })))(
  'on $level',
  ({ bench }) => {
    test.each(KINDS)('$name: odd numbers of rows, columns and tokens (1e-6 of the magnitudes)', (kind) => {
      for (const [tokens, rows, cols] of [
        [1, 1, 1],
        [1, 53, 72],
        [7, 31, 37],
        [13, 4, 259],
        [16, 25, 64],
      ]) {
        const stride = cols + GAP;
        const dense = sample(rows * cols, normal(1));
        const weights = encode(kind.format, dense, cols, { importance: null, effort: 'fast' });
        const w = decode(kind.format, weights, rows * cols);
        const x = sample(tokens * stride, normal(2));
        const run = (count: number, threads: number): Float32Array => {
          const y = bench.put(new Float32Array(tokens * (rows + GAP)).fill(7));
          const args = {
            weights: bench.put(weights),
            rows,
            cols,
            x: bench.put(x),
            xStride: 4 * stride,
            tokens: count,
            y,
            yStride: 4 * (rows + GAP),
          };
          bench.run(kind.kernel, args, { threads, scratch: FLOAT_SCRATCH });
          return bench.f32(y, tokens * (rows + GAP)).slice();
        };
        const y = run(tokens, 3);
        for (let t = 0; t < tokens; t++) {
          for (let n = 0; n < rows + GAP; n++) {
            const got = y[t * (rows + GAP) + n];
            if (n >= rows) {
              expect(got).toBe(7);
              continue;
            }
            let [sum, size] = [0, 0];
            for (let i = 0; i < cols; i++) {
              const product = x[t * stride + i] * w[n * cols + i];
              sum += product;
              size += Math.abs(product);
            }
            expect(Math.abs(got - sum)).toBeLessThanOrEqual(1e-6 * size);
          }
        }
        expect(run(1, 1).slice(0, rows)).toEqual(y.slice(0, rows));
      }
    });
  },
);
