/** IQ1_S and IQ1_M against llama.cpp's encoders: same rows, same importance, less weighted error. */
import { expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, EFFORTS, encode, FORMATS, quality } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

const COLS = 1024;
const ROWS = 4;

const FAMILIES = {
  Gaussian: { x: sample(ROWS * COLS, normal(41), 0.02), v: importance(COLS, 42) },
  'heavy-tailed': { x: sample(ROWS * COLS, studentT(43), 0.02), v: importance(COLS, 44, 1, 0.004) },
};

for (const name of ['IQ1_S', 'IQ1_M'] as const) {
  for (const [family, { x, v }] of Object.entries(FAMILIES)) {
    for (const effort of EFFORTS) {
      test.skipIf(skip !== undefined)(
        `${name}, ${effort}, errs less than llama.cpp on ${family} rows, also at matched gain`,
        () => {
          if (typeof oracle === 'string') return;
          const judge = (bytes: Uint8Array) => quality(x, decode(FORMATS[name], bytes, x.length), COLS, v);
          const ours = judge(encode(FORMATS[name], x, COLS, { importance: v, effort }));
          const theirs = judge(oracle.quantize(name, x, ROWS, COLS, v));
          expect(ours.error).toBeLessThan(0.9 * theirs.error);
          expect(ours.matchedError).toBeLessThan(0.98 * theirs.matchedError);
        },
      );
    }
  }
}
