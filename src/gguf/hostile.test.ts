/** Every kind of malformed GGUF that is known to have broken a reader: refused with file, place and reason. */
import { describe, expect, it } from 'vitest';
import {
  array,
  entry,
  type FileParts,
  ggufBytes,
  pair,
  pairString,
  pairU32,
  raw,
  str,
  u8,
  u16,
  u32,
  u64,
  zeros,
} from '../../test/gguf-bytes.ts';
import { BitmillError, type ByteSource, memorySource } from '../core/index.ts';
import { type GgufFile, type GgufLimits, readGguf } from './index.ts';

const NAME = 'model.gguf';

/** The one-line message of the input error that opening must end in. */
async function refusal(bytes: Uint8Array | Uint8Array[], limits?: Partial<GgufLimits>): Promise<string> {
  const files = Array.isArray(bytes) ? bytes : [bytes];
  const sources = files.map((one, i) => memorySource(one, files.length > 1 ? `shard-${i + 1}.gguf` : NAME));
  const error = await readGguf(sources, limits).then(
    () => new Error('it opened'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BitmillError)) throw error;
  expect(error.kind).toBe('input');
  expect(error.message).not.toContain('\n');
  expect(error.message.length).toBeLessThan(400);
  return error.message;
}

function opened(parts: FileParts): Promise<GgufFile> {
  return readGguf(memorySource(ggufBytes(parts), NAME));
}

/** Table of cases: what the file is, its parts, what the message must say. */
type Cases = readonly (readonly [string, FileParts, string])[];

function refuses(cases: Cases): void {
  it.each(cases)('refuses %s', async (_, parts, expected) => {
    const message = await refusal(ggufBytes(parts));
    expect(message).toContain(expected);
    expect(message.startsWith(`${NAME}: `)).toBe(true);
  });
}

const HUGE = 2n ** 63n;
const ONE = entry('x', [32]);

describe('the header', () => {
  refuses([
    ['a wrong magic', { magic: 'GGML' }, 'not with "GGUF"'],
    ['version 0', { version: 0 }, 'version 0 is not supported'],
    ['version 1', { version: 1 }, 'version 1 is not supported'],
    ['version 4', { version: 4 }, 'version 4 is not supported'],
    ['big-endian version 4', { version: 4, big: true }, 'version 4 is not supported'],
    ['a huge number of tensors', { tensorCount: 10n ** 6n }, 'number of tensors is 1000000, which needs'],
    ['a number of tensors above the cap', { tensorCount: 10n ** 12n }, 'above the limit of 1000000'],
    ['a negative number of tensors', { tensorCount: -1n }, '(-1 if signed)'],
    ['a huge number of pairs', { pairCount: 90_000 }, 'number of metadata pairs is 90000, which needs'],
    ['a number of pairs above the cap', { pairCount: 2n ** 40n }, 'above the limit of 100000'],
    ['a negative number of pairs', { pairCount: -1n }, '(-1 if signed)'],
    [
      'fewer pairs declared than there are',
      { pairCount: 0, pairs: [pairU32('a', 9)], entries: [ONE], data: zeros(128) },
      'tensor "a"',
    ],
    [
      'fewer pairs declared, no tensors',
      { pairCount: 0, pairs: [pairString('a.key', 'a long value, more than padding')] },
      'no tensors, but',
    ],
  ]);

  it('refuses an empty file', async () => {
    expect(await refusal(new Uint8Array(0))).toBe(
      'model.gguf: header (at byte 0): needs 4 bytes, but only 0 are left: the file is cut short',
    );
  });

  it('refuses a file that is cut at any byte before the end of its data', async () => {
    const whole = ggufBytes({
      pairs: [pairString('general.name', 'x'), pair('a', 9, array(4, 2, u32(1), u32(2)))],
      entries: [entry('x', [3]), entry('y', [5], 0, 32)],
      data: zeros(32 + 20),
    });
    await readGguf(memorySource(whole));
    for (let length = 0; length < whole.length; length++) await refusal(whole.slice(0, length));
  });
});

describe('metadata', () => {
  refuses([
    ['an empty key', { pairs: [pairU32('', 1)] }, 'metadata pair 0 (at byte 32): the key is empty'],
    ['a key over 65535 bytes', { pairs: [pairU32('k'.repeat(65_536), 1)] }, 'key is 65536 bytes long'],
    [
      'a key longer than the file',
      { pairs: [u64(60_000), raw([0x61])].map((p) => p), pairCount: 1 },
      'needs 60000 bytes',
    ],
    [
      'a key with a length of 2^64-1',
      { pairs: [u64(-1n), zeros(20)], pairCount: 1 },
      'length of key is 18446744073709551615',
    ],
    [
      'a key that is not UTF-8',
      { pairs: [pair(Uint8Array.of(0xff, 0xfe), 4, u32(1))] },
      'key is not valid UTF-8',
    ],
    ['a string that is not UTF-8', { pairs: [pair('k', 8, str(Uint8Array.of(0xc0)))] }, 'metadata key "k"'],
    [
      'a key that is there twice',
      { pairs: [pairU32('k', 1), pairString('k', 'x')] },
      'the key is there twice',
    ],
    ['an unknown value type', { pairs: [pair('k', 13, u64(0))] }, 'value type 13 is unknown'],
    [
      'an unknown element type',
      { pairs: [pair('k', 9, array(99, 1, u64(0)))] },
      'array element type 99 is unknown',
    ],
    ['a bool that is 2', { pairs: [pair('k', 7, u8(2)), zeros(1)], pairCount: 1 }, 'neither 0 nor 1'],
    ['an array of bools with a 7', { pairs: [pair('k', 9, array(7, 2, u8(1), u8(7)))] }, 'neither 0 nor 1'],
    ['a string of 2^64-1 bytes', { pairs: [pair('k', 8, u64(-1n))] }, '(-1 if signed), which is absurd'],
    ['a string longer than the file', { pairs: [pair('k', 8, u64(1000))] }, 'needs 1000 bytes'],
    ['a string above the cap', { pairs: [pair('k', 8, u64(10_000_001))] }, 'above the limit of 10000000'],
    [
      'an array of 2^63 elements',
      { pairs: [pair('k', 9, array(4, HUGE))] },
      'array length is 9223372036854775808',
    ],
    [
      'an array whose size overflows 64 bits',
      { pairs: [pair('k', 9, array(10, 2n ** 61n + 1n))] },
      'which is absurd',
    ],
    [
      'an array longer than the file',
      { pairs: [pair('k', 9, array(4, 1000))] },
      'array length is 1000, which needs 4000 bytes',
    ],
    [
      'an array of strings longer than the file',
      { pairs: [pair('k', 9, array(8, 1000))] },
      'which needs 8000 bytes',
    ],
    ['an array above the cap', { pairs: [pair('k', 9, array(0, 1_000_001))] }, 'above the limit of 1000000'],
    [
      'an array of tokens above the cap',
      { pairs: [pair('tokenizer.ggml.tokens', 9, array(8, 16_000_001))] },
      'above the limit of 16000000',
    ],
    [
      'arrays nested five deep',
      {
        pairs: [
          pair(
            'k',
            9,
            [1, 2, 3, 4].reduceRight((inner) => array(9, 1, inner), array(0, 0)),
          ),
        ],
      },
      'nested more than 4 levels deep',
    ],
  ]);

  it('refuses arrays nested a thousand deep at the fifth', async () => {
    let bomb = array(0, 0);
    for (let i = 0; i < 1000; i++) bomb = array(9, 1, bomb);
    expect(await refusal(ggufBytes({ pairs: [pair('k', 9, bomb)] }))).toContain('nested more than 4');
  });

  it('keeps keys that are names of object properties', async () => {
    const pairs = ['__proto__', 'constructor', 'toString'].map((key, i) => pairU32(key, i));
    const { metadata } = await opened({ pairs });
    expect([...metadata.keys()]).toEqual(['__proto__', 'constructor', 'toString']);
    expect(metadata.get('__proto__')).toEqual({ type: 'u32', value: 0 });
    expect(metadata.get('hasOwnProperty')).toBeUndefined();
  });

  it('keeps 64-bit integers above 2^53 and floats that are no numbers', async () => {
    const nan = raw([0, 0, 0xc0, 0x7f]);
    const infinity = raw([0, 0, 0x80, 0xff]);
    const { metadata } = await opened({
      pairs: [
        pair('a', 10, u64(2n ** 64n - 1n)),
        pair('b', 11, u64(-(2n ** 63n))),
        pair('c', 6, nan),
        pair('d', 6, infinity),
      ],
    });
    expect([...metadata.values()].map((entry) => entry.value)).toEqual([
      18446744073709551615n,
      -9223372036854775808n,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  it('obeys caps of the caller', async () => {
    const bytes = ggufBytes({ pairs: [pairString('k', 'abcd'), pairString('l', '')] });
    expect(await refusal(bytes, { stringBytes: 3 })).toContain('above the limit of 3');
    expect(await refusal(bytes, { pairs: 1 })).toContain('above the limit of 1');
    expect(await refusal(bytes, { headerBytes: 40 })).toContain('longer than the limit of 40 bytes');
  });
});

describe('the alignment', () => {
  const aligned = (type: number, value: FileParts['data']): FileParts => ({
    pairs: [pair('general.alignment', type, value ?? zeros(0))],
  });
  refuses([
    ['0', aligned(4, u32(0)), 'alignment 0 is not a power of two'],
    ['48', aligned(4, u32(48)), 'alignment 48 is not a power of two'],
    ['2^31, where 32-bit operators go negative', aligned(4, u32(2 ** 31)), 'above the limit of 1048576'],
    ['2 MiB', aligned(4, u32(2 ** 21)), 'above the limit of 1048576 bytes'],
    ['a u64', aligned(10, u64(32)), 'is of type u64, not u32'],
    ['a string', aligned(8, str('32')), 'is of type string, not u32'],
  ]);

  it.each([1, 2, 8, 64, 4096, 1 << 20])('accepts %i', async (alignment) => {
    const file = await opened({
      pairs: [pairU32('general.alignment', alignment)],
      alignment,
      entries: [ONE, entry('y', [32], 0, Math.max(128, alignment))],
      data: zeros(Math.max(128, alignment) + 128),
    });
    expect(file.tensors.map((tensor) => tensor.offset % alignment)).toEqual([0, 0]);
  });
});

describe('tensors', () => {
  const one = (piece: FileParts['data'], bytes = 4096): FileParts => ({
    entries: [piece ?? zeros(0)],
    data: zeros(bytes),
  });
  refuses([
    ['a name of 64 bytes', one(entry('n'.repeat(64), [32])), 'name is 64 bytes long, above the limit of 63'],
    ['an empty name', one(entry('', [32])), 'the name is empty'],
    ['a name that is not UTF-8', one(entry(Uint8Array.of(0x80), [32])), 'name is not valid UTF-8'],
    [
      'a name twice',
      { entries: [ONE, entry('x', [32], 0, 128)], data: zeros(256) },
      'tensor "x": is there twice',
    ],
    ['0 dimensions', one(entry('x', [])), 'has 0 dimensions'],
    ['5 dimensions', one(entry('x', [1, 1, 1, 1, 1])), 'has 5 dimensions'],
    [
      '2^32-1 dimensions',
      one(
        [str('x'), u32(2 ** 32 - 1), zeros(40)].reduce((a, b) => (l) => Uint8Array.from([...a(l), ...b(l)])),
      ),
      'has 4294967295 dimensions',
    ],
    ['a dimension of length 0', one(entry('x', [32, 0])), 'has a dimension of length 0'],
    ['a negative dimension', one(entry('x', [-32n])), 'dimension 0 is 18446744073709551584 (-32 if signed)'],
    [
      'dimensions whose product overflows 64 bits',
      one(entry('x', [2 ** 32, 2 ** 32, 2 ** 32])),
      'which is absurd',
    ],
    [
      'dimensions whose product is 2^64, 0 in 64 bits',
      one(entry('x', [2 ** 32, 2 ** 32])),
      'has 18446744073709551616 weights',
    ],
    ['bytes that overflow 2^53', one(entry('x', [2 ** 52], 0)), 'which is absurd'],
    [
      'rows that are not whole blocks',
      one(entry('x', [48], 2)),
      'rows of 48 weights are not whole Q4_0 blocks of 32',
    ],
    ['a type out of range', one(entry('x', [32], 99)), 'unknown tensor type 99'],
    ['the unused type 9', one(entry('x', [32], 9)), 'unknown tensor type 9'],
    ['an offset past the end', one(entry('x', [32], 0, 2 ** 40)), 'its data offset is 1099511627776'],
    ['an offset of 2^63', one(entry('x', [32], 0, HUGE)), 'offset is 9223372036854775808'],
    [
      'an offset that is not aligned',
      { entries: [ONE, entry('y', [32], 0, 129)], data: zeros(512) },
      'its data offset is 129, but the data before it ends at 128',
    ],
    ['overlapping data', { entries: [ONE, entry('y', [32], 0, 64)], data: zeros(512) }, 'tensor "y"'],
    [
      'two tensors at one place',
      { entries: [ONE, entry('y', [32], 0, 0)], data: zeros(512) },
      'its data offset is 0',
    ],
    ['a gap before the data', one(entry('x', [32], 0, 32)), 'its data offset is 32'],
    [
      'a gap inside the data',
      { entries: [ONE, entry('y', [32], 0, 160)], data: zeros(512) },
      'its data offset is 160',
    ],
    [
      'data past the end of the file',
      one(entry('x', [1025])),
      'its data ends at byte 4164, but the file at 4160',
    ],
    ['data far past the end of the file', one(entry('x', [2 ** 50])), 'it is cut short'],
    [
      'a total size beyond 2^53',
      {
        entries: [
          entry('x', [2 ** 50]),
          entry('y', [2 ** 50], 0, 2 ** 52),
          entry('z', [2 ** 50], 0, 2n ** 53n),
        ],
      },
      'which is absurd',
    ],
  ]);

  it.each([4, 5, 31, 32, 33, 36, 37, 38])('refuses the removed type %i', async (type) => {
    expect(await refusal(ggufBytes(one(entry('x', [32], type))))).toContain('was removed');
  });

  it('accepts a name of 63 bytes and four dimensions', async () => {
    const file = await opened(one(entry('n'.repeat(63), [2, 3, 4, 5]), 480));
    expect(file.tensors[0]).toMatchObject({ shape: [2, 3, 4, 5], weights: 120, bytes: 480, offset: 160 });
  });

  it('never reads outside the tensor that is asked for', async () => {
    const file = await opened({ entries: [entry('x', [64], 2)], data: zeros(36) });
    const [x] = file.tensors;
    expect((await file.read(x, 18, 18)).length).toBe(18);
    await expect(file.read(x, 18, 36)).rejects.toThrow(RangeError);
    await expect(file.read(x, 0, 17)).rejects.toThrow(RangeError);
    await expect(file.read(x, -18, 18)).rejects.toThrow(RangeError);
  });
});

describe('a source of a petabyte', () => {
  /** `head`, then zeros; counts the bytes that are asked for. */
  function endless(head: Uint8Array): ByteSource & { asked: number } {
    const source = {
      name: NAME,
      size: 2 ** 50,
      asked: 0,
      read: async (offset: number, length: number) => {
        source.asked += length;
        const bytes = new Uint8Array(length);
        bytes.set(head.subarray(offset, offset + length));
        return bytes;
      },
    };
    return source;
  }

  it('is opened by its header alone, and its tensors are found', async () => {
    const source = endless(ggufBytes({ entries: [entry('x', [2 ** 40]), entry('y', [2], 0, 2 ** 42)] }));
    const file = await readGguf(source);
    expect(file.tensors[1].offset).toBe(4_398_046_511_104 + 96);
    expect(source.asked).toBe(1 << 18);
  });

  it.each([
    ['strings', [pair('k', 8, u64(10_000_001))], 'above the limit of 10000000'],
    ['arrays', [pair('k', 9, array(12, 1_000_001))], 'above the limit of 1000000'],
    ['tokens', [pair('tokenizer.k', 9, array(8, 101))], 'above the limit of 100'],
    [
      'a header',
      Array.from({ length: 1000 }, (_, i) => pairU32(`${i}`, 1)),
      'longer than the limit of 18000',
    ],
  ])('is refused for %s above the caps before they are read', async (_, pairs, expected) => {
    const source = endless(ggufBytes({ pairs, pairCount: 2000 }));
    const error = await readGguf(source, { headerBytes: 18_000, tokenArrayLength: 100 }).catch(
      (e: unknown) => e,
    );
    expect(String(error)).toContain(expected);
    expect(source.asked).toBe(1 << 18);
  });
});

describe('shards', () => {
  const shard = (no: number, count: number, tensor: string, total = 2, extra: FileParts['pairs'] = []) =>
    ggufBytes({
      pairs: [
        pair('split.no', 2, u16(no)),
        pair('split.count', 2, u16(count)),
        pair('split.tensors.count', 5, u32(total)),
        ...extra,
      ],
      entries: [entry(tensor, [32])],
      data: zeros(128),
    });

  it('open as one file without the keys of the split', async () => {
    const sources = [shard(0, 2, 'x'), shard(1, 2, 'y')].map((bytes, i) => memorySource(bytes, `${i}`));
    const file = await readGguf(sources);
    expect(file.tensors.map((tensor) => [tensor.name, tensor.shard])).toEqual([
      ['x', 0],
      ['y', 1],
    ]);
    expect(file.metadata.size).toBe(0);
    expect(file.shards).toEqual(['0', '1']);
  });

  it.each([
    ['a count of 0', [shard(0, 0, 'x'), shard(1, 0, 'y')], 'one of 0 shards, but 2 were opened'],
    ['a count of 65535', [shard(0, 65_535, 'x'), shard(1, 65_535, 'y')], 'one of 65535 shards, but 2 were'],
    ['counts that differ', [shard(0, 2, 'x'), shard(1, 3, 'y')], 'one of 3 shards'],
    ['a shard alone', [shard(0, 2, 'x')], 'one of 2 shards, but 1 was opened'],
    ['shards out of order', [shard(1, 2, 'x'), shard(0, 2, 'y')], 'is shard 1, expected 0'],
    ['the same shard twice', [shard(0, 2, 'x'), shard(0, 2, 'y')], 'is shard 0, expected 1'],
    ['a tensor in two shards', [shard(0, 2, 'x'), shard(1, 2, 'x')], 'tensor "x": is there twice'],
    [
      'a wrong number of tensors',
      [shard(0, 2, 'x', 3), shard(1, 2, 'y', 3)],
      'hold 2 tensors, but 3 are declared',
    ],
    [
      'a count of the wrong type',
      [ggufBytes({ pairs: [pairString('split.count', '2')] })],
      'metadata key "split.count": is a string',
    ],
    [
      'another architecture',
      [
        shard(0, 2, 'x', 2, [pairString('general.architecture', 'phi3')]),
        shard(1, 2, 'y', 2, [pairString('general.architecture', 'llama')]),
      ],
      'is of architecture llama, the first shard of phi3',
    ],
  ])('are refused with %s', async (_, files, expected) => {
    expect(await refusal(files)).toContain(expected);
  });
});
