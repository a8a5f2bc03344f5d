/** inspect, split, merge, hash and compare as a user runs them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, describe, expect, test } from 'vitest';
import {
  f32,
  f32s,
  type GgufValue,
  i32s,
  layoutGguf,
  type Metadata,
  str,
  strings,
  u32,
  u64,
} from '../src/gguf/index.ts';
import { encode, FORMATS, type TensorFormat } from '../src/quants/index.ts';
import { bitmill } from './cli.ts';
import { entry, ggufBytes, pairString } from './gguf-bytes.ts';
import { normal, sample } from './random.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-cli-gguf-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

interface Part {
  readonly name: string;
  readonly format: TensorFormat;
  readonly weights: Float32Array;
}

/** Writes a model of tensors of rows of 32 weights. */
function write(name: string, metadata: Metadata, parts: readonly Part[]): string {
  const tensors = parts.map((part) => ({ ...part, shape: [32, part.weights.length / 32] }));
  const layout = layoutGguf({ metadata, tensors });
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  for (const [i, { format, weights }] of parts.entries())
    bytes.set(encode(format, weights, 32), layout.offsets[i]);
  writeFileSync(at(name), bytes);
  return at(name);
}

const METADATA: Metadata = new Map<string, GgufValue>([
  ['general.architecture', str('phi3')],
  ['general.alignment', u32(128)],
  ['phi3.block_count', u32(2)],
  ['phi3.rms', f32(0.5)],
  ['long', u64(2n ** 60n)],
  ['tokenizer.ggml.tokens', strings(Array.from({ length: 20 }, (_, i) => `t${i}`))],
  ['tokenizer.ggml.scores', f32s([0, Number.NaN])],
  ['tokenizer.ggml.token_type', i32s([1, -1])],
]);

const weights = (count: number, seed: number) => sample(count, normal(seed));
const PARTS: readonly Part[] = [
  { name: 'token_embd.weight', format: FORMATS.F32, weights: weights(320, 1) },
  { name: 'blk.0.ffn_up.weight', format: FORMATS.Q8_0, weights: weights(640, 2) },
  { name: 'blk.0.ffn_norm.weight', format: FORMATS.F32, weights: weights(32, 3) },
  { name: 'blk.1.ffn_up.weight', format: FORMATS.F16, weights: weights(640, 4) },
];
const MODEL = write('model.gguf', METADATA, PARTS);

function json(args: readonly string[]): { code: number | null; out: Record<string, unknown> } {
  const { code, stdout } = bitmill([...args, '--json']);
  return { code, out: JSON.parse(stdout) as Record<string, unknown> };
}

describe('inspect', () => {
  test('shows header, metadata, sizes by format and tensors', () => {
    const { code, stdout, stderr } = bitmill(['inspect', MODEL]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('3, little-endian, alignment 128');
    expect(stdout).toContain('4, 1632 weights, 16.510 bits a weight');
    expect(stdout).toMatch(/general\.architecture +string +"phi3"/);
    expect(stdout).toMatch(/tokenizer\.ggml\.tokens +array +string\["t0", .*"t7", … 20 in all]/);
    expect(stdout).toMatch(/Q8_0 +1 +640 +680 B +20\.2 % +8\.500/);
    expect(stdout).toMatch(/blk\.0\.ffn_up\.weight +32 x 20 +Q8_0 +680 B/);
  });

  test('--json says the same, exactly', () => {
    const { out } = json(['inspect', MODEL]);
    expect(out).toMatchObject({ version: 3, alignment: 128, weights: 1632, little_endian: true });
    expect(out['metadata']).toMatchObject({
      long: { type: 'u64', value: '1152921504606846976' },
      'tokenizer.ggml.tokens': { type: 'array of string', length: 20 },
      'tokenizer.ggml.scores': { value: [0, 'NaN'] },
    });
    expect((out['tensors'] as unknown[])[1]).toMatchObject({
      name: 'blk.0.ffn_up.weight',
      shape: [32, 20],
      format: 'Q8_0',
      bytes: 680,
    });
  });

  test('--metadata is complete and --tensors has nothing else', () => {
    expect(bitmill(['inspect', MODEL, '--metadata']).stdout).toContain('"t19"');
    expect(bitmill(['inspect', MODEL, '--tensors']).stdout).not.toContain('general.architecture');
  });

  test('lets no control characters of a file through to the terminal', () => {
    const file = at('escapes.gguf');
    writeFileSync(
      file,
      ggufBytes({ pairs: [pairString('a\u001b[2J', '\u009b31mred\r')], entries: [entry('\u001bx', [8])] }),
    );
    const { code, stderr } = bitmill(['inspect', file]);
    expect(code).toBe(3);
    writeFileSync(file, ggufBytes({ pairs: [pairString('a\u001b[2J', '\u009b31mred\r')] }));
    const { stdout } = bitmill(['inspect', file]);
    expect(stdout).toContain('\\u001b[2J');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test('exits with 3 for files that are no GGUF or not there, in one line', () => {
    writeFileSync(at('text.gguf'), 'not a model');
    for (const [file, message] of [
      ['text.gguf', 'it is no GGUF file'],
      ['none.gguf', 'no such file'],
    ]) {
      const { code, stdout, stderr } = bitmill(['inspect', at(file)]);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr.split('\n')[0]).toContain(message);
    }
  });

  test('exits with 4 where the network fails', () => {
    expect(bitmill(['inspect', 'http://127.0.0.1:1/x.gguf']).code).toBe(4);
  });
});

describe('split and merge', () => {
  test('give the file back, byte for byte, whatever its alignment', () => {
    const split = bitmill(['split', MODEL, at('three'), '--max-tensors', '2']);
    expect({ code: split.code, stderr: split.stderr }).toEqual({ code: 0, stderr: '' });
    const merged = bitmill(['merge', at('three-00002-of-00002.gguf'), at('merged.gguf')]);
    expect({ code: merged.code, stderr: merged.stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(at('merged.gguf')).equals(readFileSync(MODEL))).toBe(true);
  });

  test('put all metadata into the first shard and the keys of the split into each', async () => {
    bitmill(['split', MODEL, at('keys'), '--max-tensors', '3']);
    const [first, second] = [1, 2].map((no) =>
      gguf(at(`keys-0000${no}-of-00002.gguf`), { allowLocalFile: true }),
    );
    expect((await first).metadata).toMatchObject({
      'general.architecture': 'phi3',
      'split.no': 0,
      'split.count': 2,
      'split.tensors.count': 4,
    });
    expect((await second).metadata).toMatchObject({
      'split.no': 1,
      'split.count': 2,
      'split.tensors.count': 4,
      'general.alignment': 128,
    });
    expect((await second).metadata).not.toHaveProperty('general.architecture');
    expect((await second).tensorInfos.map((tensor) => tensor.name)).toEqual(['blk.1.ffn_up.weight']);
  });

  test('--max-size counts decimal bytes of padded tensor data; a larger tensor has a shard to itself', () => {
    const large = write('large.gguf', new Map(), [
      { name: 'a', format: FORMATS.F32, weights: new Float32Array(200_000) },
      { name: 'b', format: FORMATS.F32, weights: new Float32Array(300_000) },
      { name: 'c', format: FORMATS.F32, weights: new Float32Array(125_024) },
      { name: 'd', format: FORMATS.F32, weights: new Float32Array(124_960) },
      { name: 'e', format: FORMATS.F32, weights: new Float32Array(32) },
    ]);
    const { out } = json(['split', large, at('sized'), '--max-size', '1M']);
    expect((out['files'] as { tensors: number }[]).map((file) => file.tensors)).toEqual([1, 1, 2, 1]);
    expect(readdirSync(folder).filter((name) => name.startsWith('sized'))).toHaveLength(4);
  });

  test('replace nothing without --force', () => {
    bitmill(['split', MODEL, at('force'), '--max-tensors', '2']);
    for (const args of [
      ['split', MODEL, at('force'), '--max-tensors', '2'],
      ['merge', at('force-00001-of-00002.gguf'), MODEL],
    ]) {
      const refused = bitmill(args);
      expect(refused.code).toBe(2);
      expect(refused.stderr).toContain('add --force');
      expect(bitmill([...args, '--force']).code).toBe(0);
    }
  });

  test('refuse sizes and counts that make no sense', () => {
    for (const bad of [
      ['--max-size', '5'],
      ['--max-size', '1.5G'],
      ['--max-tensors', '0'],
      ['--max-size', '1G', '--max-tensors', '2'],
    ]) {
      expect({ bad, code: bitmill(['split', MODEL, at('bad'), ...bad]).code }).toEqual({ bad, code: 2 });
    }
  });
});

describe('hash', () => {
  test('prints lines as llama-gguf-hash does, and checks them', () => {
    const { stdout } = bitmill(['hash', MODEL]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^sha256 {4}[0-9a-f]{64} {2}.*model\.gguf:token_embd\.weight$/);
    expect(lines[4]).toMatch(/^sha256 {4}[0-9a-f]{64} {2}.*model\.gguf$/);
    writeFileSync(at('manifest'), `xxh64     0123456789abcdef  ${MODEL}\n${stdout}`);
    expect(bitmill(['hash', MODEL, '--check', at('manifest')])).toMatchObject({ code: 0, stderr: '' });
  });

  test('exits with 6 and names the tensors that differ, lack or are new', () => {
    bitmill(['hash', MODEL]);
    writeFileSync(at('manifest'), bitmill(['hash', MODEL]).stdout);
    const changed = PARTS.map((part, i) =>
      i === 2 ? { ...part, weights: weights(32, 9) } : i === 3 ? { ...part, name: 'new' } : part,
    );
    const { code, out } = json(['hash', write('changed.gguf', METADATA, changed), '--check', at('manifest')]);
    expect(code).toBe(6);
    expect(out['problems']).toEqual([
      { tensor: 'blk.0.ffn_norm.weight', problem: 'differs' },
      { tensor: 'new', problem: 'not in the manifest' },
      { tensor: null, problem: 'differs' },
      { tensor: 'blk.1.ffn_up.weight', problem: 'not in the file' },
    ]);
  });

  test('is the same for shards as for the whole', () => {
    bitmill(['split', MODEL, at('hashed'), '--max-tensors', '1']);
    const shards = json(['hash', at('hashed-00001-of-00004.gguf')]).out;
    const whole = json(['hash', MODEL]).out;
    expect(shards['tensors']).toEqual(whole['tensors']);
    expect(shards['model']).toBe(whole['model']);
  });

  test('of an empty tensor list is that of no bytes', () => {
    const { out } = json(['hash', write('vocab.gguf', new Map(), [])]);
    expect(out['model']).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  test('refuses a manifest that is none', () => {
    writeFileSync(at('none'), 'hello');
    expect(bitmill(['hash', MODEL, '--check', at('none')]).code).toBe(3);
  });
});

describe('compare', () => {
  test('exits with 0 for equal files', () => {
    expect(bitmill(['compare', MODEL, MODEL])).toMatchObject({
      code: 0,
      stdout: 'equal: metadata and all 4 tensors\n',
    });
  });

  test('exits with 6 and measures what differs', () => {
    const metadata: Metadata = new Map([...METADATA, ['phi3.block_count', u32(3)], ['extra', str('x')]]);
    metadata.delete('long');
    const shifted = PARTS[0].weights.map((weight, i) => (i === 5 ? weight + 2 : weight));
    const other = write('other.gguf', metadata, [
      { ...PARTS[0], weights: shifted },
      PARTS[1],
      PARTS[2],
      { ...PARTS[3], format: FORMATS.Q8_0 },
      { name: 'extra', format: FORMATS.F32, weights: new Float32Array(32) },
    ]);
    const { code, out } = json(['compare', MODEL, other]);
    expect(code).toBe(6);
    expect(out).toMatchObject({
      equal: false,
      equal_tensors: 2,
      metadata: [
        { key: 'phi3.block_count', a: { type: 'u32', value: 2 }, b: { type: 'u32', value: 3 } },
        { key: 'long', b: null },
        { key: 'extra', a: null },
      ],
    });
    const [embedding, up, extra] = out['tensors'] as Record<string, unknown>[];
    expect(embedding).toMatchObject({ name: 'token_embd.weight', a: { format: 'F32' }, not_numbers: 0 });
    expect(embedding['max_abs']).toBeCloseTo(2, 5);
    expect(embedding['rms']).toBeCloseTo(Math.sqrt(4 / 320), 5);
    expect(up).toMatchObject({ a: { format: 'F16' }, b: { format: 'Q8_0' } });
    expect(up['relative_rms']).toBeGreaterThan(0.001);
    expect(up['relative_rms']).toBeLessThan(0.01);
    expect(extra).toMatchObject({ name: 'extra', a: null });
    expect(bitmill(['compare', MODEL, other]).stdout).toContain(
      '3 metadata keys and 3 tensors differ, 2 tensors are equal',
    );
  });
});

test('@huggingface/gguf reads a file that we wrote as we do', async () => {
  const { metadata, tensorInfos, tensorDataOffset } = await gguf(MODEL, { allowLocalFile: true });
  const { tensors } = json(['inspect', MODEL]).out as { tensors: { name: string; offset: number }[] };
  expect(metadata).toMatchObject({
    version: 3,
    tensor_count: 4n,
    kv_count: 8n,
    long: 2n ** 60n,
    'phi3.rms': 0.5,
    'tokenizer.ggml.token_type': [1, -1],
  });
  expect(tensorInfos.map((tensor) => [tensor.name, tensor.dtype, tensor.shape])).toEqual(
    PARTS.map(({ name, format, weights }) => [name, format.id, [32n, BigInt(weights.length / 32)]]),
  );
  expect(tensorInfos.map((tensor) => Number(tensorDataOffset + tensor.offset))).toEqual(
    tensors.map((tensor) => tensor.offset),
  );
});
