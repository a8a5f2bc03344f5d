/** Half floats: the kernels give the plain encoders' bytes, whatever the bits. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { encode, FORMATS } from './index.ts';

/** Random bit patterns, and every boundary of the conversions: halves, ties, infinities, NaN, subnormals. */
function patterns(): Float32Array {
  const random = uniform(1);
  const bits = Uint32Array.from({ length: 20_003 }, () => Math.floor(2 ** 32 * random()));
  const edges = [
    0, 0x80000000, 1, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000, 0xffc00001, 0x477fe000, 0x477fefff,
    0x477ff000, 0x38800000, 0x387fffff, 0x33000000, 0x33000001, 0x3f801000, 0x3f803000, 0x3f808000,
    0x3f818000, 0x7f7fffff,
  ];
  bits.set(edges);
  for (let i = 100; i < 10_000; i++) bits[i] = (bits[i] & 0x8fffffff) | 0x30000000; // the range of f16
  return new Float32Array(bits.buffer);
}

describe.each(['F16', 'BF16'] as const)('%s', (name) => {
  test('the kernel gives the bytes of the plain encoder, for an odd number of weights too', () => {
    const x = patterns();
    const plain = encode(FORMATS[name], x, x.length, { engine: 'plain' });
    expect(encode(FORMATS[name], x, x.length)).toEqual(plain);
  });
});

test('a half float of 1, -2, 65504, 65520 and 2^-24 is 3c00, c000, 7bff, 7c00 and 0001', () => {
  const x = Float32Array.of(1, -2, 65504, 65520, 2 ** -24);
  const bits = new Uint16Array(encode(FORMATS.F16, x, 5).buffer);
  expect([...bits]).toEqual([0x3c00, 0xc000, 0x7bff, 0x7c00, 0x0001]);
});
