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

for (const format of Object.values(FORMATS) as TensorFormat[]) {
  const unknown = typeof oracle !== 'string' && !oracle.TYPES.includes(format.name);
  const reason = skip ?? (unknown ? 'ggml oracle has no decoder for it' : undefined);
  test.skipIf(reason !== undefined)(`${format.name} decodes bit for bit as ggml does`, () => {
    if (typeof oracle === 'string') return;
    const bytes = caseBlocks(format);
    const count = BLOCKS * format.blockSize;
    const expected = oracle.dequantize(format.name, bytes, count);
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
