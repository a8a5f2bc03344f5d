/**
 * Seeded mutations of safetensors files and indexes. Whatever comes out must be a checkpoint whose tensors lie
 * side by side in the file, or one error of kind input; nothing is read (so nothing allocated) beyond the file.
 */
import { expect, test } from 'vitest';
import { countingSafetensors, memoryFiles } from '../../test/checkpoints.ts';
import { uniform } from '../../test/random.ts';
import { BitmillError, type ByteSource, memorySource } from '../core/index.ts';
import { type CheckpointFiles, openCheckpoint, readSafetensors, SAFETENSORS_TYPES } from './index.ts';

const MUTATIONS = 6000;

/** Text that hurts careless readers. */
const TOKENS = [
  '-1',
  '0',
  '1e999',
  '1e2',
  '1.5',
  '9007199254740993',
  '18446744073709551616',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"\\ud800"',
  '"__metadata__"',
  '"__proto__"',
  '"constructor"',
  '"F32"',
  '[[[[[[[[[[',
  '"../x.safetensors"',
  '"/x.safetensors"',
  '\u0000',
  ',',
  ':',
  '}',
  '{',
];

const BASE = countingSafetensors(
  [
    { name: 'model.embed_tokens.weight', dtype: 'BF16', shape: [16, 8] },
    { name: 'model.norm.weight', dtype: 'F32', shape: [8] },
    { name: 'empty', dtype: 'F16', shape: [0, 4] },
    { name: 'scalar', dtype: 'I64', shape: [] },
  ],
  new Map([['format', 'pt']]),
);

type Random = () => number;
const below = (random: Random, n: number) => Math.floor(random() * n);

function setHeaderLength(bytes: Uint8Array, length: bigint): Uint8Array {
  if (bytes.length >= 8) new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, length), true);
  return bytes;
}

/** A file with another header text and, mostly, the right length before it. */
function withHeader(text: string, data: Uint8Array): Uint8Array {
  const header = new TextEncoder().encode(text);
  return setHeaderLength(new Uint8Array([...new Uint8Array(8), ...header, ...data]), BigInt(header.length));
}

function mutateText(text: string, random: Random): string {
  const at = below(random, text.length + 1);
  const token = TOKENS[below(random, TOKENS.length)];
  const numbers = [...text.matchAll(/\d+/g)];
  const number = numbers[below(random, numbers.length)];
  const edits = [
    () => text.slice(0, at) + token + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1 + below(random, 20)),
    () => text.slice(0, at) + text.slice(below(random, text.length), at + 40) + text.slice(at),
    () => text.slice(0, at) + String.fromCharCode(below(random, 300)) + text.slice(at + 1),
    () => text.replace(/"[^"]*"/, token),
    () =>
      number
        ? text.slice(0, number.index) + token + text.slice(number.index + number[0].length)
        : text + token,
    () =>
      number
        ? text.slice(0, number.index) +
          (Number(number[0]) + below(random, 9) - 4) +
          text.slice(number.index + number[0].length)
        : text,
  ];
  return edits[below(random, edits.length)]();
}

function mutateFile(random: Random): Uint8Array {
  const length = new DataView(BASE.buffer).getUint32(0, true);
  const text = new TextDecoder().decode(BASE.subarray(8, 8 + length));
  const data = BASE.subarray(8 + length);
  const at = below(random, BASE.length);
  const edits = [
    () => BASE.slice(0, at),
    () => {
      const bytes = BASE.slice();
      bytes[below(random, 8 + length)] ^= 1 << below(random, 8);
      return bytes;
    },
    () => setHeaderLength(BASE.slice(), BigInt(length + below(random, 17) - 8)),
    () => setHeaderLength(BASE.slice(), 1n << BigInt(below(random, 64))),
    () => new Uint8Array([...BASE, ...new Uint8Array(1 + below(random, 9))]),
    () => withHeader(mutateText(text, random), data),
    () => withHeader(mutateText(mutateText(text, random), random), data),
    () => withHeader(mutateText(mutateText(mutateText(text, random), random), random), data),
  ];
  return edits[below(random, edits.length)]();
}

/** A source that fails the test when it is asked for more than it has, altogether twice its size. */
function metered(source: ByteSource): ByteSource {
  let asked = 0;
  return {
    ...source,
    read: (offset, length) => {
      asked += length;
      if (offset < 0 || offset + length > source.size || asked > 2 * source.size) {
        throw new Error(`asked for ${length} bytes at ${offset}, ${asked} altogether, of ${source.size}`);
      }
      return source.read(offset, length);
    },
  };
}

function expectInputError(error: unknown, what: string): void {
  if (error instanceof BitmillError && error.kind === 'input') {
    expect(error.message.length, what).toBeLessThan(2000);
    return;
  }
  throw new Error(`${what} ended in another error than of kind input`, { cause: error });
}

test(`${MUTATIONS} mutated safetensors files are read rightly or refused`, async () => {
  const random = uniform(20260823);
  let accepted = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = mutateFile(random);
    try {
      const { tensors } = await readSafetensors(metered(memorySource(bytes, 'fuzz')));
      let end = 8 + new DataView(bytes.buffer).getUint32(0, true);
      for (const tensor of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
        expect(tensor.offset).toBe(end);
        const elements = tensor.shape.reduce((product, size) => product * size, 1);
        expect(tensor.bytes).toBe(elements * SAFETENSORS_TYPES[tensor.dtype]);
        end += tensor.bytes;
      }
      expect(end).toBe(bytes.length);
      expect(new Set(tensors.map(({ name }) => name)).size).toBe(tensors.length);
      accepted++;
    } catch (error) {
      expectInputError(error, `mutation ${i}`);
    }
  }
  expect(accepted).toBeGreaterThan(MUTATIONS / 100);
  expect(accepted).toBeLessThan(MUTATIONS / 2);
});

test('2000 mutated configs and indexes open, or are refused, and name no file outside the folder', async () => {
  const random = uniform(7);
  const u8 = (name: string) => countingSafetensors([{ name, dtype: 'U8', shape: [4] }]);
  const config = '{"model_type":"llama","rope_scaling":{"factor":2},"eos_token_id":[1,2]}';
  const index = '{"metadata":{"total_size":8},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}';
  let accepted = 0;
  for (let i = 0; i < 2000; i++) {
    const inner = memoryFiles({
      'config.json': i % 4 === 0 ? mutateText(config, random) : config,
      'model.safetensors.index.json': i % 4 === 0 ? index : mutateText(index, random),
      'm-1.safetensors': u8('a'),
      'm-2.safetensors': u8('b'),
    });
    const files: CheckpointFiles = {
      ...inner,
      open: async (file) => {
        if (!/^[^/\\]+$/.test(file) || file === '..') throw new Error(`opened ${JSON.stringify(file)}`);
        const source = await inner.open(file);
        return source && metered(source);
      },
    };
    try {
      const checkpoint = await openCheckpoint(files);
      expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
      accepted++;
    } catch (error) {
      expectInputError(error, `mutation ${i}`);
    }
  }
  expect(accepted).toBeGreaterThan(20);
  expect(accepted).toBeLessThan(1900);
  expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
});
