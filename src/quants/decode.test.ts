/**
 * Decoding without llama.cpp at hand: digests of what ggml decoded from the case blocks (blocks.cases.ts), recorded
 * once by the oracle suite's machine: BITMILL_RECORD=1 npm run test:oracle.
 */
import { expect, test } from 'vitest';
import golden from '../../test/fixtures/decode-golden.json' with { type: 'json' };
import { BLOCKS, caseBlocks, digest } from './blocks.cases.ts';
import { FORMATS, formatById, formatByName, type TensorFormat } from './index.ts';

const recorded = new Map(Object.entries(golden));

test.each([...recorded])('%s decodes to the digest of what ggml decodes', (name, expected) => {
  const format = formatByName(name) as TensorFormat;
  const values = new Float32Array(BLOCKS * format.blockSize);
  format.decode(caseBlocks(format), values);
  expect(digest(values)).toBe(expected);
});

test('every quantized format of files has a recorded digest', () => {
  const formats: TensorFormat[] = Object.values(FORMATS);
  const without = formats
    .filter(({ kind, name }) => kind === 'quantized' && !recorded.has(name))
    .map(({ name }) => name);
  expect(without).toEqual([]);
});

test('the IQ1_M scale is found in the top nibbles of its four scale words', () => {
  const block = new Uint8Array(56);
  // d = 1.0 = 0x3c00: nibbles 0, 0, c, 3 in words 0..3; all points 0, shift +1/8, scales 0.
  block[53] = 0xc0;
  block[55] = 0x30;
  const values = new Float32Array(256);
  FORMATS.IQ1_M.decode(block, values);
  // Grid point 0 is all -1: 1.0 * (2 * 0 + 1) * (-1 + 0.125).
  expect([...new Set(values)]).toEqual([-0.875]);
});

test('removed and unknown type ids are named in the error', () => {
  expect(() => formatById(4, 'x.gguf: tensor "a"')).toThrow(
    'x.gguf: tensor "a": type 4 (Q4_2) was removed from the GGUF format',
  );
  expect(() => formatById(99, 'x.gguf')).toThrow(/^x\.gguf: unknown tensor type 99; known ids are 0, 1, 2,/);
  expect(formatByName('iq4_xs')?.id).toBe(23);
  expect(formatByName('constructor')).toBeUndefined();
});
