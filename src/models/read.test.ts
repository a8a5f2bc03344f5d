/** Reading models: what is refused and how it is said; the graphs' names, shapes and checkpoints. */
import { beforeAll, describe, expect, test } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { f32, type GgufFile, type GgufTensor, type GgufValue, str, u32 } from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { type GraphOptions, readModel } from './index.ts';

const OPTIONS: GraphOptions = { cacheType: 'f32', attention: 'eager', contextSize: 256 };

interface Changes {
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  readonly without?: readonly string[];
  /** Tensors by name, changed. */
  readonly tensors?: Readonly<Record<string, Partial<GgufTensor>>>;
}

/** The same file with another header. */
function changed(file: GgufFile, { metadata = {}, without = [], tensors = {} }: Changes): GgufFile {
  const kept = file.tensors
    .filter(({ name }) => !without.includes(name))
    .map((tensor) => ({ ...tensor, ...tensors[tensor.name] }));
  const keys = [...file.metadata].filter(([key]) => !without.includes(key));
  return {
    ...file,
    metadata: new Map([...keys, ...Object.entries(metadata)]),
    tensors: kept,
    find: (name) => kept.find((tensor) => tensor.name === name),
  };
}

let phi3: GgufFile;
let llama: GgufFile;
beforeAll(async () => {
  phi3 = await openTinyModel('phi3-longrope-gqa');
  llama = await openTinyModel('llama3-rope-bias');
});

/** Changes of the tiny Phi-3 and what `readModel` says to them. E 32, F 32, H 4, K 2, D 8, V 272, 2 layers. */
const REFUSED: readonly (readonly [string, Changes, string])[] = [
  ['a missing matrix', { without: ['blk.1.ffn_up.weight'] }, 'tensor blk.1.ffn_up.weight is missing'],
  ['a missing norm', { without: ['blk.0.attn_norm.weight'] }, 'tensor blk.0.attn_norm.weight is missing'],
  ['a missing embedding', { without: ['token_embd.weight'] }, 'tensor token_embd.weight is missing'],
  ['a missing final norm', { without: ['output_norm.weight'] }, 'tensor output_norm.weight is missing'],
  [
    'a matrix of another shape',
    { tensors: { 'blk.1.attn_qkv.weight': { shape: [32, 60] } } },
    'blk.1.attn_qkv.weight has the shape [32, 60]; [32, 64] is wanted',
  ],
  [
    'a quantized norm',
    { tensors: { 'blk.0.ffn_norm.weight': { format: FORMATS.Q8_0 } } },
    'blk.0.ffn_norm.weight is Q8_0; a vector of plain floats (F32, F16, BF16) is wanted',
  ],
  [
    'a matrix of integers',
    { tensors: { 'blk.0.ffn_down.weight': { format: FORMATS.I32 } } },
    'blk.0.ffn_down.weight holds integers (I32); weights are wanted',
  ],
  [
    'another architecture',
    { metadata: { 'general.architecture': str('mamba') } },
    'architecture "mamba" cannot be run; known are phi3, llama',
  ],
  [
    'a missing number',
    { without: ['phi3.feed_forward_length'] },
    'metadata key "phi3.feed_forward_length" is missing',
  ],
  [
    'heads that do not divide the width',
    { metadata: { 'phi3.attention.head_count': u32(6) } },
    "phi3.attention.key_length is 5.333333333333333 (a head's share of 32); an even number is wanted",
  ],
  [
    'values of another size than keys',
    { metadata: { 'phi3.attention.value_length': u32(4) } },
    'phi3.attention.value_length is 4; 8, as attention.key_length, is wanted',
  ],
  [
    'more rotated columns than a head has',
    {
      metadata: { 'phi3.rope.dimension_count': u32(10) },
      without: ['rope_factors_long.weight', 'rope_factors_short.weight'],
    },
    'phi3.rope.dimension_count is 10; 1 to 8 is allowed',
  ],
  [
    'experts',
    { metadata: { 'phi3.expert_count': u32(8) } },
    'phi3.expert_count is 8; mixtures of experts cannot be run',
  ],
  [
    'an unknown rope scaling',
    { metadata: { 'phi3.rope.scaling.type': str('spiral') } },
    'phi3.rope.scaling.type is "spiral"; known are none, linear, yarn, longrope',
  ],
  [
    'a rope factor that is no number',
    { metadata: { 'phi3.rope.scaling.factor': f32(Number.NaN) } },
    'phi3.rope.scaling.factor is NaN; above 0 is allowed',
  ],
  [
    'a rope base of 0',
    { metadata: { 'phi3.rope.freq_base': f32(0) } },
    'phi3.rope.freq_base is 0; above 0 is allowed',
  ],
  [
    'LongRoPE factors for half of the contexts',
    { without: ['rope_factors_short.weight'] },
    'rope_factors_short.weight is missing, but there is rope_factors_long.weight',
  ],
  [
    'a vocabulary of another size',
    { tensors: { 'token_embd.weight': { shape: [32, 271] } } },
    'token_embd.weight has 271 rows for 272 tokens of tokenizer.ggml.tokens',
  ],
  [
    'a window that cannot be',
    { metadata: { 'phi3.attention.sliding_window': f32(1.5) } },
    'phi3.attention.sliding_window is 1.5; 0 to 268435456 is allowed',
  ],
];

describe('a file is refused for', () => {
  test.each(REFUSED)('%s', async (_, changes, message) => {
    await expect(readModel(changed(phi3, changes))).rejects.toMatchObject({
      kind: 'input',
      message: `phi3-longrope-gqa.gguf: ${message}`,
    });
  });
});

test('a rope factor of 0 is refused with the tensor that holds it', async () => {
  const zeros: GgufFile = { ...phi3, read: async ({ bytes }) => new Uint8Array(bytes) };
  await expect(readModel(zeros)).rejects.toThrow('rope_factors_long.weight holds 0; above 0 is allowed');
});

test('the numbers of a model are those of its file', async () => {
  const { architecture, hyper } = await readModel(phi3);
  expect(architecture).toBe('phi3');
  expect(hyper).toMatchObject({
    layers: 2,
    width: 32,
    vocabulary: 272,
    heads: 4,
    kvHeads: 2,
    headSize: 8,
    contextLength: 512,
    window: 0,
  });
});

test('the head size of a file may differ from width / heads', async () => {
  expect((await readModel(llama)).hyper).toMatchObject({ width: 32, heads: 4, headSize: 16 });
});

test('a q8_0 cache is refused where rows are no whole blocks of 32', async () => {
  const model = await readModel(phi3);
  expect(() => model.graphs({ ...OPTIONS, cacheType: 'q8_0' })).toThrow(
    expect.objectContaining({
      kind: 'usage',
      message: "a q8_0 cache wants rows of a multiple of 32 columns; this model's are 16 wide",
    }),
  );
});

test('LongRoPE: contexts longer than the original one take the long factors, the others the short ones', async () => {
  const model = await readModel(phi3);
  const [short, atOriginal, long] = [100, 256, 257].map((contextSize) => {
    const { cos } = model.graphs({ ...OPTIONS, contextSize }).rope.angles(1, 1);
    return [...cos];
  });
  expect(atOriginal).toEqual(short);
  expect(long).not.toEqual(short);
  // s = 512 / 256: sqrt(1 + ln 2 / ln 256) = sqrt(9 / 8); pair 1 of 4 turns by 0.1 over its factor.
  const magnitude = Math.sqrt(9 / 8);
  expect(short[1]).toBeCloseTo(magnitude * Math.cos(0.1 / 1.05), 6);
  expect(long[1]).toBeCloseTo(magnitude * Math.cos(0.1 / 1.7), 6);
});

test('graphs are named by segment, and their products are the checkpoints that an imatrix wants', async () => {
  const { embed, layers, final, output } = (await readModel(phi3)).graphs(OPTIONS);
  expect([embed, ...layers, final, output].map(({ name }) => name)).toEqual([
    'embed',
    'blk.0',
    'blk.1',
    'final',
    'output',
  ]);
  expect(layers[1].taps.map(({ weight }) => weight.name)).toEqual([
    'blk.1.attn_qkv.weight',
    'blk.1.attn_output.weight',
    'blk.1.ffn_up.weight',
    'blk.1.ffn_down.weight',
  ]);
  expect(output.taps.map(({ weight }) => weight.name)).toEqual(['output.weight']);
});

test('a tied model multiplies with its embedding', async () => {
  const { output } = (await readModel(llama)).graphs(OPTIONS);
  expect(output.weights.map(({ name }) => name)).toEqual(['token_embd.weight']);
});

test('biases are added where the file has them', async () => {
  const { layers } = (await readModel(llama)).graphs(OPTIONS);
  const biases = layers[0].nodes.flatMap((node) => (node.op === 'add_bias' ? [node.weight.name] : []));
  expect(biases).toEqual(['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((name) => `blk.0.${name}.bias`));
});
