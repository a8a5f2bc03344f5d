/** Encoders of the codebook formats against llama.cpp's, on the same rows with the same importance. */
import { expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, encode, FORMATS, quality } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

const COLS = 1536;
const ROWS = 8;

const FAMILIES = [
  ['Gaussian', sample(ROWS * COLS, normal(21), 0.02), importance(COLS, 22)],
  ['heavy-tailed', sample(ROWS * COLS, studentT(23), 0.02), importance(COLS, 24, 1, 0.004)],
] as const;

/** Highest ratio of our matched-gain error to llama.cpp's; the plain weighted error must be lower in any case. */
const MATCHED = { fast: 1, best: 0.96 } as const;

for (const name of ['IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'IQ3_S'] as const) {
  for (const effort of ['fast', 'best'] as const) {
    for (const [family, x, weights] of FAMILIES) {
      test.skipIf(skip !== undefined)(
        `${name} ${effort} on ${family} rows has a lower error than llama.cpp, gain matched or not`,
        () => {
          if (typeof oracle === 'string') return;
          const format = FORMATS[name];
          const bytes = encode(format, x, COLS, { importance: weights, effort });
          const theirs = oracle.quantize(name, x, ROWS, COLS, weights);
          const a = quality(x, decode(format, bytes, x.length), COLS, weights);
          const b = quality(x, decode(format, theirs, x.length), COLS, weights);
          expect(a.error / b.error).toBeLessThan(1);
          expect(a.matchedError / b.matchedError).toBeLessThan(MATCHED[effort]);
        },
      );
    }
  }
}
