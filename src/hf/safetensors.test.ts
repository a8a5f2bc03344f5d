import { describe, expect, test } from 'vitest';
import { countingSafetensors, rawSafetensors } from '../../test/checkpoints.ts';
import { BitmillError, memorySource } from '../core/index.ts';
import { layoutSafetensors, readSafetensors } from './index.ts';

const read = (bytes: Uint8Array) => readSafetensors(memorySource(bytes, 'x.safetensors'));

describe('reading', () => {
  test('a header gives names, types, shapes, absolute offsets and metadata in its own order', async () => {
    const bytes = rawSafetensors(
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},' +
        '"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  ',
      new Uint8Array(16),
    );
    const { metadata, tensors } = await read(bytes);
    const start = bytes.length - 16;
    expect([...metadata]).toEqual([['format', 'pt']]);
    expect(tensors).toEqual([
      { name: 'b', dtype: 'BF16', shape: [2, 3], bytes: 12, offset: start + 4 },
      { name: 'a', dtype: 'F32', shape: [], bytes: 4, offset: start },
    ]);
  });

  test('only the prefix and the header are read, never the data', async () => {
    const bytes = countingSafetensors([{ name: 'w', dtype: 'U8', shape: [100_000] }]);
    const source = memorySource(bytes);
    let last = 0;
    await readSafetensors({
      ...source,
      read: (offset, length) => {
        last = Math.max(last, offset + length);
        return source.read(offset, length);
      },
    });
    expect(last).toBe(bytes.length - 100_000);
  });

  test('a tensor of 12 GB in a file of 12 GB is read from its header alone', async () => {
    const { header, offsets, size } = layoutSafetensors([
      { name: 'w', dtype: 'F32', shape: [3_000_000_000] },
      { name: 'v', dtype: 'I8', shape: [1] },
    ]);
    const source = { ...memorySource(header, 'big'), size };
    const { tensors } = await readSafetensors(source);
    expect(tensors.map(({ offset }) => offset)).toEqual(offsets);
    expect(tensors[1].offset).toBe(header.length + 12_000_000_000);
  });

  test('names such as __proto__ and constructor are names like any other', async () => {
    const names = ['__proto__', 'constructor', 'toString', '7', ''];
    const { tensors } = await read(
      countingSafetensors(names.map((name) => ({ name, dtype: 'U8' as const, shape: [1] }))),
    );
    expect(tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(tensors.every(({ dtype }) => dtype === 'U8')).toBe(true);
  });
});

test('the writer gives a header of whole 8 bytes that the reader takes back', async () => {
  const layout = layoutSafetensors(
    [
      { name: 'w', dtype: 'F16', shape: [2, 2] },
      { name: 'empty', dtype: 'F32', shape: [0, 9] },
    ],
    new Map([['format', 'pt']]),
  );
  const text = new TextDecoder().decode(layout.header.subarray(8)).trimEnd();
  expect(text).toBe(
    '{"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[2,2],"data_offsets":[0,8]},' +
      '"empty":{"dtype":"F32","shape":[0,9],"data_offsets":[8,8]}}',
  );
  expect(layout.header.length % 8).toBe(0);
  expect(layout.offsets).toEqual([layout.header.length, layout.header.length + 8]);
  expect(layout.size).toBe(layout.header.length + 8);
});

describe('hostile files are refused with one clear error of kind input', () => {
  const entry = (dtype: unknown, shape: unknown, offsets: unknown) =>
    `{"w":${JSON.stringify({ dtype, shape, data_offsets: offsets })}}`;
  const two = (a: number[], b: number[]) =>
    `{"a":{"dtype":"U8","shape":[${a[1] - a[0]}],"data_offsets":[${a}]},` +
    `"b":{"dtype":"U8","shape":[${b[1] - b[0]}],"data_offsets":[${b}]}}`;
  const data = new Uint8Array(8);
  const CASES: Record<string, [Uint8Array, RegExp]> = {
    'an empty file': [new Uint8Array(0), /too short for safetensors/],
    'seven bytes': [new Uint8Array(7), /too short/],
    'a header longer than the file': [rawSafetensors('{}', data, 11n), /header of 11 bytes does not fit/],
    'a header length of 2^64 - 1': [rawSafetensors('{}', data, 2n ** 64n - 1n), /18446744073709551615 bytes/],
    'no header': [rawSafetensors(''), /is not JSON/],
    'a header that is no JSON': [rawSafetensors('{"w":'), /is not JSON/],
    'a header that is no UTF-8': [
      new Uint8Array([4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0xfe, 0x7d]),
      /is not UTF-8/,
    ],
    'a header that is an array': [rawSafetensors('[]'), /is not a JSON object but \[\]/],
    'a header that is null': [rawSafetensors('null'), /is not a JSON object but null/],
    'a header nested 100,000 deep': [
      rawSafetensors(`{"w":${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
      /nests 100001 levels deep/,
    ],
    'a tensor that is a number': [rawSafetensors('{"w":1}'), /tensor "w": is not a JSON object but 1/],
    'an unknown dtype': [rawSafetensors(entry('F12', [8], [0, 8]), data), /has dtype "F12"/],
    'a dtype from the prototype': [rawSafetensors(entry('constructor', [8], [0, 8]), data), /has dtype/],
    'a missing shape': [
      rawSafetensors('{"w":{"dtype":"U8","data_offsets":[0,8]}}', data),
      /has shape undefined/,
    ],
    'a negative size': [rawSafetensors(entry('U8', [-8], [0, 8]), data), /has shape \[-8\]/],
    'a broken size': [rawSafetensors(entry('U8', [1.5], [0, 8]), data), /has shape \[1\.5\]/],
    'a size as text': [rawSafetensors(entry('U8', ['8'], [0, 8]), data), /has shape \["8"\]/],
    'a size above 2^53': [
      rawSafetensors('{"w":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,8]}}', data),
      /has shape/,
    ],
    'sizes whose product passes 2^64': [
      rawSafetensors(entry('F32', [2 ** 32, 2 ** 32], [0, 8]), data),
      /too large to count/,
    ],
    'sizes whose product passes 2^53 before a zero': [
      rawSafetensors(entry('F32', [2 ** 32, 2 ** 32, 0], [0, 8]), data),
      /too large to count/,
    ],
    'nine dimensions': [rawSafetensors(entry('U8', Array(9).fill(1), [0, 1]), data), /not up to 8 sizes/],
    'a shape that does not fit its offsets': [
      rawSafetensors(entry('F32', [4], [0, 8]), data),
      /16 bytes; data_offsets give 8/,
    ],
    'reversed offsets': [rawSafetensors(entry('U8', [8], [8, 0]), data), /data_offsets give -8/],
    'offsets as text': [rawSafetensors(entry('U8', [8], ['0', '8']), data), /not \[begin, end\]/],
    'one offset': [rawSafetensors(entry('U8', [8], [0]), data), /not \[begin, end\]/],
    'negative offsets': [rawSafetensors(entry('U8', [8], [-8, 0]), data), /not \[begin, end\]/],
    'data beyond the file': [rawSafetensors(entry('U8', [9], [0, 9]), data), /need 9 bytes, it has 8/],
    'data after the last tensor': [rawSafetensors(entry('U8', [7], [0, 7]), data), /1 bytes after its last/],
    'data and no tensors': [rawSafetensors('{}', data), /8 bytes after its last/],
    'overlapping tensors': [rawSafetensors(two([0, 5], [4, 8]), data), /"b": overlaps the tensor before it/],
    'one range twice': [rawSafetensors(two([0, 8], [0, 8]), data), /overlaps/],
    'a hole': [rawSafetensors(two([0, 3], [4, 8]), data), /"b": leaves unused bytes before it/],
    'a name twice': [
      rawSafetensors(
        '{"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}}',
        data,
      ),
      /has a name twice/,
    ],
    'a name twice, once with an escape': [
      rawSafetensors(
        '{"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"\\u0077":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}}',
        data,
      ),
      /has a name twice/,
    ],
    'offsets twice in one tensor': [
      rawSafetensors('{"w":{"dtype":"U8","shape":[8],"data_offsets":[0,1],"data_offsets":[0,8]}}', data),
      /has a name twice/,
    ],
    'metadata that is a list': [
      rawSafetensors('{"__metadata__":["pt"]}'),
      /__metadata__: is not a JSON object/,
    ],
    'metadata that is no string': [
      rawSafetensors('{"__metadata__":{"format":{"a":"b"}}}'),
      /__metadata__\."format" is \{"a":"b"\}, not a string/,
    ],
    'metadata that looks like a tensor': [
      rawSafetensors('{"__metadata__":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', data),
      /not a string/,
    ],
  };

  for (const [name, [bytes, message]] of Object.entries(CASES)) {
    test(name, async () => {
      const error = await read(bytes).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(BitmillError);
      expect(error).toMatchObject({ kind: 'input', message: expect.stringMatching(message) });
    });
  }

  test('no message carries control characters of the file to the terminal', async () => {
    for (const header of ['{"w":\u001b[31m}', '{"\\u009b2J":1}', '{"w":{"dtype":"\\u001b[2J"}}']) {
      const error = await read(rawSafetensors(header)).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ kind: 'input', message: expect.not.stringMatching(/\p{Cc}/u) });
    }
  });

  test('a header above 100 MB is refused before it is read', async () => {
    const prefix = rawSafetensors('', undefined, 100_000_001n);
    const source = { ...memorySource(prefix, 'big'), size: 300_000_000 };
    await expect(readSafetensors(source)).rejects.toThrow(/header of 100000001 bytes; at most 100000000/);
  });
});
