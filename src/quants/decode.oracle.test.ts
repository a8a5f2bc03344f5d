/** Decoding against ggml's own code, bit for bit, on random and on edge blocks. */
import { expect, test } from 'vitest';
import { ggmlOracle } from '../../test/oracle.ts';
import { uniform } from '../../test/random.ts';
import { FORMATS, type TensorFormat } from './index.ts';

const oracle = await ggmlOracle();
const skip = typeof oracle === 'string' ? oracle : undefined;
if (skip) console.warn(`oracle suite skipped: ${skip}`);

const BLOCKS = 500;

/** Block bytes of several kinds: random; all ones; all zero; and random codes under special half-float scales. */
function blocks(format: TensorFormat): Uint8Array {
  const random = uniform(format.id + 1);
  const bytes = Uint8Array.from({ length: BLOCKS * format.blockBytes }, () => Math.floor(256 * random()));
  const block = (b: number) => bytes.subarray(b * format.blockBytes, (b + 1) * format.blockBytes);
  block(0).fill(255);
  block(1).fill(0);
  block(2).fill(0x7c); // 0x7c7c: a NaN half
  block(3).fill(0x80);
  // One pattern of special halves at every even offset: infinities, NaN, subnormals, signed zeros.
  const halves = [0x7c00, 0xfc00, 0x7e01, 0x0001, 0x8001, 0x03ff, 0x8000, 0x0000, 0x0400, 0x7bff];
  halves.forEach((half, h) => {
    for (let at = 0; at + 1 < format.blockBytes; at += 2) {
      const one = block(10 + h * 40 + ((at >> 1) % 40));
      one[at] = half & 255;
      one[at + 1] = half >> 8;
    }
  });
  return bytes;
}

for (const format of Object.values(FORMATS) as TensorFormat[]) {
  const unknown = typeof oracle !== 'string' && !oracle.TYPES.includes(format.name);
  const reason = skip ?? (unknown ? 'ggml oracle has no decoder for it' : undefined);
  test.skipIf(reason !== undefined)(`${format.name} decodes bit for bit as ggml does`, () => {
    if (typeof oracle === 'string') return;
    const bytes = blocks(format);
    const count = BLOCKS * format.blockSize;
    const expected = oracle.dequantize(format.name, bytes, count);
    const actual = new Float32Array(count);
    format.decode(bytes, actual);
    const differing = actual.findIndex((value, i) => !Object.is(value, expected[i]));
    expect(
      { differing, ours: actual[differing], ggml: expected[differing] },
      'NaN equals NaN; -0 differs from 0',
    ).toEqual({ differing: -1, ours: undefined, ggml: undefined });
  });
}
