/** Encoders of the symmetric and tabulated formats against llama.cpp's: weighted error on the same rows. */
import { describe, expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { importance, normal, sample, studentT } from '../../test/random.ts';
import { decode, encode, FORMATS, formatBytes, quality } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

const NAMES = [
  'Q3_K',
  'Q6_K',
  'IQ4_XS',
  'IQ4_NL',
  'Q4_0',
  'Q5_0',
  'Q8_0',
  'TQ1_0',
  'TQ2_0',
  'MXFP4',
] as const;
/** Formats that the oracle does not wrap, by the symbol in ggml's library that encodes them. */
const SYMBOLS = { NVFP4: 'quantize_nvfp4', Q1_0: 'quantize_q1_0', Q2_0: 'quantize_q2_0' } as const;

type Name = (typeof NAMES)[number] | keyof typeof SYMBOLS;

const ALL: readonly Name[] = [...NAMES, ...(Object.keys(SYMBOLS) as (keyof typeof SYMBOLS)[])];

/** llama.cpp's encoding; undefined without the oracle. */
function peerEncode(name: Name, x: Float32Array, weights: Float32Array | null): Uint8Array | undefined {
  if (typeof oracle === 'string') return undefined;
  if (!(name in SYMBOLS)) return oracle.quantize(name, x, ROWS, COLS, weights);
  const parameters = ['const void *', 'void *', 'int64_t', 'int64_t', 'const void *'];
  const encoder = oracle.native().base.func(SYMBOLS[name as keyof typeof SYMBOLS], 'size_t', parameters);
  const dst = new Uint8Array(formatBytes(FORMATS[name], x.length));
  encoder(x, dst, ROWS, COLS, weights);
  return dst;
}

const COLS = 1024;
const ROWS = 6;
const FAMILIES = {
  Gaussian: { x: sample(ROWS * COLS, normal(11), 0.02), v: importance(COLS, 12, 0.5) },
  'heavy-tailed': { x: sample(ROWS * COLS, studentT(13), 0.02), v: importance(COLS, 14, 1, 0.004) },
};

describe.skipIf(skip !== undefined).each(ALL)('%s', (name) => {
  for (const [family, { x, v }] of Object.entries(FAMILIES)) {
    for (const weights of [v, null]) {
      const kind = weights ? 'with importance' : 'with equal importance';
      test(`errs at most as much as llama.cpp on ${family} rows ${kind}`, () => {
        const format = FORMATS[name];
        const errorOf = (bytes: Uint8Array) =>
          quality(x, decode(format, bytes, x.length), COLS, weights).error;
        const peer = peerEncode(name, x, weights);
        if (!peer) return;
        const theirs = errorOf(peer);
        for (const effort of ['fast', 'best'] as const) {
          const ours = errorOf(encode(format, x, COLS, { importance: weights, effort }));
          expect(ours / theirs, `${effort}: error, ours over theirs`).toBeLessThanOrEqual(1);
        }
      });
    }
  }
});

test.skipIf(skip !== undefined)('Q8_K gives the bytes of llama.cpp', () => {
  if (typeof oracle === 'string') return;
  const parameters = ['const void *', 'void *', 'int64_t'];
  const encoder = oracle.native().base.func('quantize_row_q8_K_ref', 'void', parameters);
  for (const { x } of Object.values(FAMILIES)) {
    const theirs = new Uint8Array(formatBytes(FORMATS.Q8_K, x.length));
    encoder(x, theirs, x.length);
    expect(encode(FORMATS.Q8_K, x, COLS)).toEqual(theirs);
  }
});
