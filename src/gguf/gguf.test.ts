/** Reading what was laid out, laying out what was read, and both against files built byte by byte. */
import { describe, expect, it } from 'vitest';
import * as build from '../../test/gguf-bytes.ts';
import { normal, sample } from '../../test/random.ts';
import { type ByteSource, memorySource } from '../core/index.ts';
import { decode, FORMATS, type TensorFormat } from '../quants/index.ts';
import {
  bool,
  bools,
  f32,
  f32s,
  f64,
  type GgufArray,
  type GgufFile,
  type GgufValue,
  getBoolean,
  getNumber,
  getNumbers,
  getString,
  getStrings,
  i8,
  i16,
  i32,
  i32s,
  i64,
  layoutGguf,
  type Metadata,
  needNumber,
  readGguf,
  str,
  strings,
  type TensorSpec,
  u8,
  u16,
  u32,
  u64,
} from './index.ts';
import { swapBytes } from './swap.ts';

const { F32, Q4_0 } = FORMATS;

const NESTED: readonly GgufArray[] = [
  { type: 'array', of: 'i32', value: [1, 2] },
  { type: 'array', of: 'string', value: ['x'] },
];

const EVERY_TYPE: Metadata = new Map<string, GgufValue>([
  ['a.u8', u8(255)],
  ['a.i8', i8(-128)],
  ['a.u16', u16(65_535)],
  ['a.i16', i16(-32_768)],
  ['a.u32', u32(4_294_967_295)],
  ['a.i32', i32(-2_147_483_648)],
  ['a.f32', f32(0.5)],
  ['a.bool', bool(true)],
  ['a.string', str('Grüße \u{1f999}')],
  ['a.u64', u64(18_446_744_073_709_551_615n)],
  ['a.i64', i64(-9_223_372_036_854_775_808n)],
  ['a.f64', f64(0.1)],
  ['a.strings', strings(['', '\ufeff', '▁the'])],
  ['a.f32s', f32s([1, -2])],
  ['a.i32s', i32s([-1])],
  ['a.bools', bools([true, false])],
  ['a.empty', strings([])],
  ['a.nested', { type: 'array', of: 'array', value: NESTED }],
]);

/** The bytes of a file whose tensor data counts up from 0 in every tensor. */
function whole(metadata: Metadata, tensors: readonly TensorSpec[], version: 2 | 3 = 3): Uint8Array {
  const layout = layoutGguf({ metadata, tensors, version });
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  for (const [i, { format, shape }] of tensors.entries()) {
    const length = (shape.reduce((a, b) => a * b) / format.blockSize) * format.blockBytes;
    bytes.set(
      Uint8Array.from({ length }, (_, k) => k),
      layout.offsets[i],
    );
  }
  return bytes;
}

const open = (bytes: Uint8Array): Promise<GgufFile> => readGguf(memorySource(bytes, 'm.gguf'));

describe('a file that was laid out', () => {
  const tensors = [
    { name: 'x', format: F32, shape: [3] },
    { name: 'y', format: Q4_0, shape: [64, 2] },
  ];

  it.each([2, 3] as const)('is read back with every metadata type in version %i', async (version) => {
    const file = await open(whole(EVERY_TYPE, tensors, version));
    expect([...file.metadata]).toEqual([...EVERY_TYPE]);
    expect(file).toMatchObject({ version, littleEndian: true, alignment: 32 });
    expect(file.tensors.map(({ name, shape, weights, bytes }) => ({ name, shape, weights, bytes }))).toEqual([
      { name: 'x', shape: [3], weights: 3, bytes: 12 },
      { name: 'y', shape: [64, 2], weights: 128, bytes: 72 },
    ]);
    expect([...(await file.read(file.tensors[1], 18, 18))]).toEqual(
      Array.from({ length: 18 }, (_, k) => 18 + k),
    );
  });

  it('has the bytes that were built by hand', () => {
    const metadata: Metadata = new Map([
      ['general.name', str('x')],
      ['n', u32(7)],
    ]);
    const expected = build.ggufBytes({
      pairs: [build.pairString('general.name', 'x'), build.pairU32('n', 7)],
      entries: [build.entry('x', [3]), build.entry('y', [64, 2], 2, 32)],
      data: build.join(
        build.raw(Array.from({ length: 12 }, (_, k) => k)),
        build.zeros(20),
        build.raw(Array.from({ length: 72 }, (_, k) => k)),
        build.zeros(24),
      ),
    });
    expect(whole(metadata, tensors)).toEqual(expected);
  });

  it.each([1, 8, 128, 4096, 1 << 20])('honours the alignment %i of its metadata', async (alignment) => {
    const bytes = whole(new Map([['general.alignment', u32(alignment)]]), tensors);
    const file = await open(bytes);
    expect(file.alignment).toBe(alignment);
    expect(file.tensors.map((tensor) => tensor.offset % alignment)).toEqual([0, 0]);
    expect(bytes.length % alignment).toBe(0);
  });

  it('tells an alignment that is not the usual one', async () => {
    const { header } = layoutGguf({ metadata: new Map(), tensors: [], alignment: 64 });
    expect((await open(header)).metadata.get('general.alignment')).toEqual(u32(64));
  });

  it('hands out memory that the caller may transfer', async () => {
    const bytes = whole(new Map(), tensors);
    const file = await open(bytes);
    const read = await file.read(file.tensors[0]);
    read.fill(9);
    expect((await file.read(file.tensors[0]))[1]).toBe(1);
    expect(read.buffer.byteLength).toBe(12);
  });

  it('reads a header of many megabytes in few pieces, and no tensor data', async () => {
    const tokens = strings(Array.from({ length: 200_000 }, (_, i) => `token number ${i}`));
    const bytes = whole(new Map([['tokenizer.ggml.tokens', tokens]]), [
      { name: 'x', format: F32, shape: [5_000_000] },
    ]);
    const reads: number[] = [];
    const source: ByteSource = {
      ...memorySource(bytes, 'm'),
      read: async (offset, length) => {
        reads.push(length);
        return bytes.slice(offset, offset + length);
      },
    };
    const file = await readGguf(source);
    expect(file.metadata.get('tokenizer.ggml.tokens')).toEqual(tokens);
    expect(reads).toEqual([1 << 18, 1 << 20, 1 << 22]);
  });
});

describe('laying out', () => {
  it.each<[string, Metadata, TensorSpec[], string]>([
    ['a number that its type cannot hold', new Map([['k', u8(256)]]), [], '"256" is no u8'],
    ['a fraction as integer', new Map([['k', i32(1.5)]]), [], '"1.5" is no i32'],
    ['an empty key', new Map([['', u8(1)]]), [], 'the key has 0 bytes'],
    ['an alignment of 48', new Map([['general.alignment', u32(48)]]), [], 'is not a power of two'],
    [
      'an alignment of 2 MiB',
      new Map([['general.alignment', u32(2 ** 21)]]),
      [],
      'above the limit of 1048576',
    ],
    ['an alignment that is a string', new Map([['general.alignment', str('32')]]), [], 'not u32'],
    [
      'a name of 64 bytes',
      new Map(),
      [{ name: 'é'.repeat(32), format: F32, shape: [1] }],
      'the name has 64 bytes',
    ],
    ['rows of half a block', new Map(), [{ name: 'x', format: Q4_0, shape: [48] }], 'not whole Q4_0 blocks'],
    ['no dimensions', new Map(), [{ name: 'x', format: F32, shape: [] }], 'has 0 dimensions'],
    [
      'a tensor twice',
      new Map(),
      [
        { name: 'x', format: F32, shape: [1] },
        { name: 'x', format: F32, shape: [1] },
      ],
      'tensor "x": is there twice',
    ],
  ])('refuses %s', (_, metadata, tensors, message) => {
    expect(() => layoutGguf({ metadata, tensors })).toThrow(message);
  });

  it('places tensors beyond 4 GiB and 2^53 bits exactly', () => {
    const shape = [2 ** 31, 3];
    const { offsets, size } = layoutGguf({
      metadata: new Map(),
      tensors: ['a', 'b', 'c'].map((name) => ({ name, format: F32, shape })),
    });
    expect(offsets.map((offset) => offset - offsets[0])).toEqual([0, 25_769_803_776, 51_539_607_552]);
    expect(size - offsets[0]).toBe(77_309_411_328);
  });
});

describe('a big-endian file', () => {
  it('is read as if it were little-endian', async () => {
    const parts = {
      pairs: [
        build.pairU32('n', 7),
        build.pair('d', 12, build.f64(0.1)),
        build.pair('a', 9, build.array(2, 2, build.u16(1), build.u16(258))),
      ],
      entries: [build.entry('x', [2]), build.entry('y', [32], 2, 32)],
      data: build.join(build.f32(1.5), build.f32(-2), build.zeros(24), build.u16(0x3c00), build.zeros(16)),
    };
    const big = await open(build.ggufBytes({ ...parts, big: true }));
    const little = await open(build.ggufBytes(parts));
    expect(big.littleEndian).toBe(false);
    expect([...big.metadata]).toEqual([...little.metadata]);
    for (const { name } of little.tensors) {
      const [a, b] = [big, little].map((file) => ({
        file,
        tensor: file.tensors.find((t) => t.name === name),
      }));
      if (!a.tensor || !b.tensor) throw new Error(`${name} is missing`);
      expect(await a.file.read(a.tensor)).toEqual(await b.file.read(b.tensor));
    }
  });

  it.each(Object.values<TensorFormat>(FORMATS))(
    'has $name data whose fields swap back to the same weights',
    (format) => {
      const weights = 2 * format.blockSize;
      const bytes = Uint8Array.from({ length: 2 * format.blockBytes }, (_, i) => (i * 37) % 100);
      const copy = bytes.slice();
      swapBytes(format, copy);
      expect(Buffer.compare(copy, bytes) === 0).toBe(['I8', 'MXFP4', 'NVFP4'].includes(format.name));
      swapBytes(format, copy);
      expect(decode(format, copy, weights)).toEqual(decode(format, bytes, weights));
    },
  );

  it('swaps the two halves of a Q4_0 scale and nothing else', () => {
    const bytes = Uint8Array.from({ length: 36 }, (_, i) => i);
    swapBytes(Q4_0, bytes);
    expect([...bytes.subarray(0, 3), ...bytes.subarray(18, 21)]).toEqual([1, 0, 2, 19, 18, 20]);
  });
});

describe('metadata helpers', () => {
  it('return values of any width, and undefined where there is none', () => {
    expect(getNumber(EVERY_TYPE, 'a.u16', 'f')).toBe(65_535);
    expect(getNumber(new Map([['k', u64(5n)]]), 'k', 'f')).toBe(5);
    expect(getNumbers(EVERY_TYPE, 'a.f32s', 'f')).toEqual([1, -2]);
    expect(getString(EVERY_TYPE, 'a.string', 'f')).toBe('Grüße \u{1f999}');
    expect(getStrings(EVERY_TYPE, 'a.empty', 'f')).toEqual([]);
    expect(getBoolean(EVERY_TYPE, 'a.bool', 'f')).toBe(true);
    expect(getNumber(EVERY_TYPE, 'absent', 'f')).toBeUndefined();
  });

  it('name file, key and type of a value of another type', () => {
    expect(() => getNumber(EVERY_TYPE, 'a.string', 'f')).toThrow(
      'f: metadata key "a.string": is a string ("Grüße',
    );
    expect(() => getNumber(EVERY_TYPE, 'a.f32s', 'f')).toThrow('is an array of f32, not a number');
    expect(() => getNumber(EVERY_TYPE, 'a.u64', 'f')).toThrow(
      'is a u64 ("18446744073709551615"), not a number',
    );
    expect(() => getStrings(EVERY_TYPE, 'a.i32s', 'f')).toThrow(
      'is an array of i32, not an array of strings',
    );
    expect(() => getStrings(EVERY_TYPE, 'a.string', 'f')).toThrow('is a string, not an array of strings');
    expect(() => getString(EVERY_TYPE, 'a.u8', 'f')).toThrow('is a u8 ("255"), not a string');
    expect(() => needNumber(EVERY_TYPE, 'absent', 'f')).toThrow('f: metadata key "absent" is missing');
  });
});

describe('random tensors', () => {
  it('decode to the weights that were encoded', async () => {
    const weights = sample(256, normal(1));
    const { header, offsets, size } = layoutGguf({
      metadata: new Map(),
      tensors: [{ name: 'w', format: F32, shape: [256] }],
    });
    const bytes = new Uint8Array(size);
    bytes.set(header);
    bytes.set(new Uint8Array(weights.buffer), offsets[0]);
    const file = await open(bytes);
    expect(decode(F32, await file.read(file.tensors[0]), 256)).toEqual(weights);
  });
});
