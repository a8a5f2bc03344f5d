/** Decoding against ggml's own code, bit for bit, on random and on edge blocks. */
import { writeFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { BLOCKS, caseBlocks, digest } from './blocks.cases.ts';
import { FORMATS, type TensorFormat } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

/** With BITMILL_RECORD=1, what ggml decodes becomes the record that decode.test.ts checks without it. */
const record: Record<string, string> = {};
afterAll(() => {
  if (!process.env['BITMILL_RECORD'] || skip) return;
  const file = new URL('../../test/fixtures/decode-golden.json', import.meta.url);
  writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
});

/** Formats that the oracle does not wrap, by the symbol in ggml's library that decodes them. */
const SYMBOLS: Readonly<Record<string, string>> = {
  Q8_K: 'dequantize_row_q8_K',
  NVFP4: 'dequantize_row_nvfp4',
  Q1_0: 'dequantize_row_q1_0',
  Q2_0: 'dequantize_row_q2_0',
};

/** ggml's decoder of a format: the wrapped one, or the library's own; undefined if it has none. */
function ggmlDecoder(format: TensorFormat): ((bytes: Uint8Array, count: number) => Float32Array) | undefined {
  if (typeof oracle === 'string') return undefined;
  if (oracle.TYPES.includes(format.name)) {
    return (bytes, count) => oracle.dequantize(format.name, bytes, count);
  }
  const symbol = SYMBOLS[format.name];
  if (symbol === undefined) return undefined;
  const decode = oracle.native().base.func(symbol, 'void', ['const void *', 'void *', 'int64_t']);
  return (bytes, count) => {
    const dst = new Float32Array(count);
    decode(bytes, dst, count);
    return dst;
  };
}

for (const format of Object.values(FORMATS) as TensorFormat[]) {
  const theirs = ggmlDecoder(format);
  const reason = skip ?? (theirs ? undefined : 'ggml has no decoder for it');
  test.skipIf(reason !== undefined)(`${format.name} decodes bit for bit as ggml does`, () => {
    if (!theirs) return;
    const bytes = caseBlocks(format);
    const count = BLOCKS * format.blockSize;
    const expected = theirs(bytes, count);
    record[format.name] = digest(expected);
    const actual = new Float32Array(count);
    format.decode(bytes, actual);
    const differing = actual.findIndex((value, i) => !Object.is(value, expected[i]));
    expect(
      { differing, ours: actual[differing], ggml: expected[differing] },
      'NaN equals NaN; -0 differs from 0',
    ).toEqual({ differing: -1, ours: undefined, ggml: undefined });
  });
}
