/**
 * Thousands of random changes to a valid file: each either opens to a file whose tensors can be read, or is
 * refused as bad input. Seeded, so a failure repeats.
 */
import { describe, expect, it } from 'vitest';
import {
  array,
  entry,
  f32,
  ggufBytes,
  pair,
  pairString,
  pairU32,
  str,
  u8,
  u64,
  zeros,
} from '../../test/gguf-bytes.ts';
import { uniform } from '../../test/random.ts';
import { BitmillError, memorySource } from '../core/index.ts';
import { readGguf } from './index.ts';

const MUTATIONS = 4000;

/** Numbers that readers trip over. */
const NASTY = [
  0n,
  1n,
  0x7fn,
  0xffn,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

function seedFile(big: boolean): Uint8Array {
  return ggufBytes({
    big,
    pairs: [
      pairString('general.architecture', 'phi3'),
      pairU32('general.alignment', 32),
      pair('tokenizer.ggml.tokens', 9, array(8, 3, str('a'), str('▁b'), str('</s>'))),
      pair('tokenizer.ggml.scores', 9, array(6, 2, f32(0), f32(-1))),
      pair('nested', 9, array(9, 1, array(0, 2, u8(1), u8(2)))),
      pair('flag', 7, u8(1)),
      pair('long', 10, u64(2n ** 60n)),
    ],
    entries: [entry('x', [32, 2], 2), entry('y', [3], 0, 64), entry('z', [256], 12, 96)],
    data: zeros(96 + 144 + 16),
  });
}

/** A random change; the result may be shorter. */
type Bytes = Uint8Array<ArrayBuffer>;
type Change = (bytes: Bytes, below: (limit: number) => number) => Bytes;

const CHANGES: readonly Change[] = [
  (bytes, below) => bytes.fill(below(256), below(bytes.length), below(bytes.length)),
  (bytes, below) => bytes.with(below(bytes.length), below(256)),
  (bytes, below) => {
    const at = below(bytes.length);
    return bytes.with(at, bytes[at] ^ (1 << below(8)));
  },
  (bytes, below) => bytes.slice(0, below(bytes.length)),
  (bytes, below) => bytes.copyWithin(below(bytes.length), below(bytes.length), below(bytes.length)),
  (bytes, below) => {
    if (bytes.length < 8) return bytes;
    const little = below(2) === 0;
    new DataView(bytes.buffer).setBigUint64(below(bytes.length - 7), NASTY[below(NASTY.length)], little);
    return bytes;
  },
];

/** One to three random changes. */
function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let copy = Uint8Array.from(bytes);
  for (let left = 1 + below(3); left > 0 && copy.length > 0; left--) {
    copy = CHANGES[below(CHANGES.length)](copy, below);
  }
  return copy;
}

/** `opened`, or `refused` with an input error; anything else throws. */
async function outcome(bytes: Uint8Array): Promise<'opened' | 'refused'> {
  try {
    const file = await readGguf(memorySource(bytes, 'fuzz.gguf'));
    for (const tensor of file.tensors) expect((await file.read(tensor)).length).toBe(tensor.bytes);
    return 'opened';
  } catch (error) {
    if (error instanceof BitmillError && error.kind === 'input' && error.message.startsWith('fuzz.gguf'))
      return 'refused';
    throw error;
  }
}

describe.each([
  ['little-endian', false],
  ['big-endian', true],
])('%s files with random changes', (_, big) => {
  it('open or are refused as bad input, and nothing else', async () => {
    const random = uniform(big ? 2 : 1);
    const seed = seedFile(big);
    expect(await outcome(seed)).toBe('opened');
    const counts = { opened: 0, refused: 0 };
    for (let i = 0; i < MUTATIONS; i++) counts[await outcome(mutate(seed, random))]++;
    expect(counts.opened).toBeGreaterThan(MUTATIONS / 20);
    expect(counts.refused).toBeGreaterThan(MUTATIONS / 2);
  });
});
