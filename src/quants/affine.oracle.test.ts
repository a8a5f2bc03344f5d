/** The scale-and-min encoders against llama.cpp's: the importance-weighted error is at most theirs. */
import { describe, expect, it } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, encode } from './codec.ts';
import { EFFORTS } from './format.ts';
import { Q2_K } from './formats/q2_k.ts';
import { Q4_1 } from './formats/q4_1.ts';
import { Q4_K } from './formats/q4_k.ts';
import { Q5_1 } from './formats/q5_1.ts';
import { Q5_K } from './formats/q5_k.ts';
import { quality } from './quality.ts';

const oracle = await ggmlOracle();
if (typeof oracle === 'string') console.warn(`skipped: ${oracle}`);

const COLS = 1024;
const ROWS = 6;
const FAMILIES = [
  { name: 'Gaussian', x: sample(ROWS * COLS, normal(31), 0.02), v: importance(COLS, 32) },
  {
    name: 'overwhelmed',
    x: sample(ROWS * COLS, normal(35), 0.02),
    v: importance(COLS, 36).map((v, i) => (i % 300 === 77 ? 1e4 * v : v)),
  },
  { name: 'heavy-tailed', x: sample(ROWS * COLS, studentT(33), 0.02), v: importance(COLS, 34, 1, 0.004) },
];

for (const format of [Q4_K, Q5_K, Q2_K, Q4_1, Q5_1]) {
  describe.skipIf(typeof oracle === 'string')(`${format.name} beside llama.cpp`, () => {
    for (const { name, x, v } of FAMILIES) {
      for (const effort of EFFORTS) {
        it.each([
          ['importance', v],
          ['equal importance', null],
        ])(`${effort} loses less on ${name} rows with %s`, (_weights, weights) => {
          if (typeof oracle === 'string') return;
          const ours = decode(format, encode(format, x, COLS, { importance: weights, effort }), x.length);
          const theirs = decode(format, oracle.quantize(format.name, x, ROWS, COLS, weights), x.length);
          expect(quality(x, ours, COLS, weights).error).toBeLessThan(quality(x, theirs, COLS, weights).error);
        });
      }
    }
  });
}
