/** Encoders of the symmetric and tabulated formats against llama.cpp's: weighted error on the same rows. */
import { describe, expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, encode, FORMATS, quality } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

const NAMES = ['Q3_K', 'Q6_K', 'IQ4_XS', 'IQ4_NL'] as const;
const COLS = 1024;
const ROWS = 6;
const FAMILIES = {
  Gaussian: { x: sample(ROWS * COLS, normal(11), 0.02), v: importance(COLS, 12, 0.5) },
  'heavy-tailed': { x: sample(ROWS * COLS, studentT(13), 0.02), v: importance(COLS, 14, 1, 0.004) },
};

describe.skipIf(skip !== undefined).each(NAMES)('%s', (name) => {
  for (const [family, { x, v }] of Object.entries(FAMILIES)) {
    for (const weights of [v, null]) {
      const kind = weights ? 'with importance' : 'with equal importance';
      test(`errs at most as much as llama.cpp on ${family} rows ${kind}`, () => {
        if (typeof oracle === 'string') return;
        const format = FORMATS[name];
        const errorOf = (bytes: Uint8Array) =>
          quality(x, decode(format, bytes, x.length), COLS, weights).error;
        const theirs = errorOf(oracle.quantize(name, x, ROWS, COLS, weights));
        for (const effort of ['fast', 'best'] as const) {
          const ours = errorOf(encode(format, x, COLS, { importance: weights, effort }));
          expect(ours / theirs, `${effort}: error, ours over theirs`).toBeLessThanOrEqual(1);
        }
      });
    }
  }
});
