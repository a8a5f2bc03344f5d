/** Plans: order, metadata, precedence of overrides, shards, and everything that is refused. */
import { expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { BitmillError, memorySource } from '../core/index.ts';
import { type GgufFile, type GgufValue, readGguf, str } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { parseUserRecipe, planQuantization, type QuantizeOptions, recipeSet } from './index.ts';
import { buildImportance, buildModel, phiMetadata, phiTensors, type TestTensor } from './testing.cases.ts';

const TENSORS = phiTensors(2, 256);
const OPTIONS: QuantizeOptions = {
  mixtures: ['Q8_0'],
  recipes: recipeSet('llama.cpp-2026'),
  effort: 'fast',
  imatrix: null,
  model: 'm',
  version: '1.2.3',
};

const MODEL = buildModel(TENSORS, phiMetadata(2));

function open(tensors?: TestTensor[], metadata = phiMetadata(2)): Promise<GgufFile> {
  return readGguf(memorySource(tensors ? buildModel(tensors, metadata) : MODEL, 'm.gguf'));
}

/** Formats by tensor name of the first file. */
async function formats(options: Partial<QuantizeOptions>, model?: GgufFile): Promise<Record<string, string>> {
  const { files } = planQuantization(model ?? (await open()), { ...OPTIONS, ...options });
  return Object.fromEntries(
    files.flatMap(({ tensors }) => tensors.map((one) => [one.source.name, one.format])),
  );
}

test('tensors are sorted as llama.cpp sorts them: outer ones, then layer by layer, by name', async () => {
  expect(Object.keys(await formats({})).slice(0, 6)).toEqual([
    'output.weight',
    'output_norm.weight',
    'token_embd.weight',
    'blk.0.attn_norm.weight',
    'blk.0.attn_output.weight',
    'blk.0.attn_qkv.weight',
  ]);
});

test('metadata is copied, made anew at the end, and names no folder', async () => {
  const metadata = phiMetadata(2);
  metadata.set('split.no', { type: 'u16', value: 0 });
  const model = await open(TENSORS, metadata);
  const options = {
    ...OPTIONS,
    imatrix: buildImportance(TENSORS),
    overrides: new Map([['general.name', str('x')]]),
  };
  const [{ layout }] = planQuantization(model, options).files;
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  const written = await readGguf(memorySource(bytes));
  expect([...written.metadata].map(([key, { value }]) => [key, value])).toEqual([
    ['general.architecture', 'phi3'],
    ['phi3.block_count', 2],
    ['phi3.attention.head_count', 4],
    ['phi3.attention.head_count_kv', 4],
    ['tokenizer.ggml.tokens', ['a', 'b']],
    ['general.quantization_version', 2],
    ['general.file_type', 7],
    ['quantize.imatrix.file', 'test.imatrix.gguf'],
    ['quantize.imatrix.dataset', 'text.txt'],
    ['quantize.imatrix.entries_count', 8],
    ['quantize.imatrix.chunks_count', 1],
    ['bitmill.recipes', 'llama.cpp-2026'],
    ['bitmill.version', '1.2.3'],
    ['general.name', 'x'],
  ]);
  expect(written.metadata.get('quantize.imatrix.chunks_count')?.type).toBe('u32');
});

test('overrides go before recipes: output, embedding, first tensor type that matches, keep', async () => {
  const chosen = await formats({
    mixtures: ['BF16'],
    outputType: 'Q8_0',
    embeddingType: 'F32',
    tensorTypes: [
      { pattern: /blk\.0\.ffn/, format: 'Q8_0' },
      { pattern: /ffn|output/, format: 'F32' },
    ],
    keep: [/blk\.1\.ffn_up/],
  });
  expect(chosen).toMatchObject({
    'output.weight': 'Q8_0',
    'output_norm.weight': 'F32',
    'token_embd.weight': 'F32',
    'blk.0.ffn_up.weight': 'Q8_0',
    'blk.1.ffn_down.weight': 'F32',
    'blk.1.ffn_up.weight': 'F16',
    'blk.0.attn_qkv.weight': 'BF16',
    'blk.0.attn_norm.weight': 'F32',
  });
});

test('pure gives every matrix the default format, and leave-output keeps the output', async () => {
  const chosen = await formats({ mixtures: ['Q3_K_S'], pure: true, leaveOutput: true });
  const counts = Object.values(chosen).reduce<Record<string, number>>((all, name) => {
    all[name] = (all[name] ?? 0) + 1;
    return all;
  }, {});
  expect(counts).toEqual({ F16: 1, F32: 3, Q3_K: 9 });
});

test("a user's recipe rules over its base", async () => {
  const recipe = parseUserRecipe(
    JSON.stringify({ name: 'mine', base: 'Q3_K_S', rules: [{ match: 'ffn_up', type: 'Q8_0' }] }),
    'r',
  );
  const chosen = await formats({ mixtures: [recipe] });
  expect(chosen).toMatchObject({ 'blk.0.ffn_up.weight': 'Q8_0', 'blk.0.attn_output.weight': 'Q3_K' });
  const [file] = planQuantization(await open(), { ...OPTIONS, mixtures: [recipe] }).files;
  expect(file.name).toBe('m-mine.gguf');
});

test('rows that are not whole blocks fall back, and the plan says so', async () => {
  const tensors = [{ name: 'blk.0.ffn_up.weight', shape: [96, 8] }];
  const plan = planQuantization(await open(tensors), { ...OPTIONS, mixtures: ['Q4_K_S'] });
  expect(plan.notes).toEqual([
    'Q4_K_S: Q5_0 instead of Q4_K where rows are not whole blocks: blk.0.ffn_up.weight (rows of 96)',
  ]);
  expect(plan.files[0].tensors[0].format).toBe('Q5_0');
});

test('shards hold at most the bytes asked for, and know their place', async () => {
  const { files } = planQuantization(await open(), { ...OPTIONS, shardBytes: 300_000 });
  expect(files.map(({ name }) => name)).toEqual([
    'm-Q8_0-00001-of-00007.gguf',
    'm-Q8_0-00002-of-00007.gguf',
    'm-Q8_0-00003-of-00007.gguf',
    'm-Q8_0-00004-of-00007.gguf',
    'm-Q8_0-00005-of-00007.gguf',
    'm-Q8_0-00006-of-00007.gguf',
    'm-Q8_0-00007-of-00007.gguf',
  ]);
  const shards = files.map(({ layout }) => {
    const bytes = new Uint8Array(layout.size);
    bytes.set(layout.header);
    return memorySource(bytes);
  });
  expect((await readGguf(shards)).tensors).toHaveLength(13);
});

test('an alignment other than 32 is kept', async () => {
  const metadata = phiMetadata(2);
  metadata.set('general.alignment', { type: 'u32', value: 128 });
  const [file] = planQuantization(await open(TENSORS, metadata), OPTIONS).files;
  expect(file.tensors.every(({ offset }) => offset % 128 === 0)).toBe(true);
});

test('what cannot be is refused with a word why', async () => {
  const model = await open();
  const refused = (options: Partial<QuantizeOptions>) => () =>
    planQuantization(model, { ...OPTIONS, ...options });
  expect(refused({ tensorTypes: [{ pattern: /nothing/, format: 'Q8_0' }] })).toThrow(
    '--tensor-type: pattern "nothing" matches no tensor',
  );
  expect(refused({ keep: [/attn_norm/] })).toThrow(
    '--keep: pattern "attn_norm" matches no tensor that can be quantized',
  );
  expect(refused({ mixtures: ['Q8_0', 'IQ1_S', 'IQ2_XS'] })).toThrow(
    'IQ1_S, IQ2_XS: needs an importance matrix; without one IQ2_XXS (as in blk.0.attn_output.weight) is garbage',
  );
  expect(refused({ mixtures: ['Q2_K_S'] })).toThrow('needs an importance matrix');
  const imatrix = buildImportance(phiTensors(3, 256));
  expect(refused({ imatrix })).toThrow('blk.2.ffn_up.weight: the model has no such tensor');
  const fewer = buildImportance(phiTensors(1, 256));
  expect(refused({ imatrix: fewer, mixtures: ['IQ1_S'] })).toThrow('has no entry for blk.1.');
});

test('quantized input is refused unless asked for', async () => {
  const tensors = [{ name: 'blk.0.ffn_up.weight', shape: [256, 8], format: FORMATS.Q8_0 }];
  const model = await open(tensors);
  const options: QuantizeOptions = { ...OPTIONS, mixtures: ['F16'] };
  expect(() => planQuantization(model, options)).toThrow('is quantized already');
  expect(planQuantization(model, { ...options, allowRequantize: true }).files).toHaveLength(1);
});

test('without an output tensor the embedding is the output, and the sets differ in whose option wins', async () => {
  const model = await open(TENSORS.filter(({ name }) => name !== 'output.weight'));
  const of = (set: string) =>
    formats({ recipes: recipeSet(set), outputType: 'F32', embeddingType: 'BF16' }, model);
  expect((await of('llama.cpp-2026'))['token_embd.weight']).toBe('BF16');
  expect((await of('llama.cpp-2025'))['token_embd.weight']).toBe('F32');
  expect((await formats({ mixtures: ['Q3_K_S'] }, model))['token_embd.weight']).toBe('Q6_K');
});

test('1,000 mutated models are planned or refused, never anything else', async () => {
  const tensors = [{ name: 'blk.0.ffn_up.weight', shape: [64, 2] }];
  const original = buildModel(tensors, phiMetadata(1));
  const header = original.length - 256;
  const random = uniform(3);
  const pick = (n: number) => Math.floor(n * random());
  let planned = 0;
  for (let round = 0; round < 1000; round++) {
    const bytes = original.slice();
    for (let n = 1 + pick(2); n > 0; n--)
      bytes[pick(header)] = random() < 0.5 ? pick(256) : [0, 1, 127, 255][pick(4)];
    try {
      planQuantization(await readGguf(memorySource(bytes, 'm.gguf')), {
        ...OPTIONS,
        mixtures: ['Q4_K_M', 'F16'],
      });
      planned++;
    } catch (error) {
      expect(error).toBeInstanceOf(BitmillError);
      expect((error as BitmillError).exitCode, (error as BitmillError).message).toBe(3);
    }
  }
  expect(planned, 'mutations that do no harm').toBeGreaterThan(100);
});

test('metadata that contradicts the file it is in cannot be set', async () => {
  const model = await open();
  for (const key of ['general.alignment', 'split.count', 'split.no', 'general.architecture']) {
    const overrides = new Map<string, GgufValue>([[key, { type: 'u16', value: 3 }]]);
    expect(() => planQuantization(model, { ...OPTIONS, overrides })).toThrow(`--override-kv: ${key}`);
  }
});
