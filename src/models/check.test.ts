import { expect, test } from 'vitest';
import { memorySource } from '../core/index.ts';
import {
  f32,
  f32s,
  type GgufValue,
  i32s,
  layoutGguf,
  readGguf,
  str,
  strings,
  type TensorSpec,
  u32,
  u32s,
} from '../gguf/index.ts';
import { FORMATS } from '../quants/index.ts';
import { checkModel } from './index.ts';

const TENSORS: TensorSpec[] = [
  { name: 'token_embd.weight', format: FORMATS.F32, shape: [32, 4] },
  { name: 'blk.0.attn_qkv.weight', format: FORMATS.F32, shape: [32, 8] },
  { name: 'blk.1.attn_qkv.weight', format: FORMATS.F32, shape: [32, 8] },
  { name: 'rope_factors_long.weight', format: FORMATS.F32, shape: [4] },
];

const GOOD: readonly (readonly [string, GgufValue])[] = [
  ['general.architecture', str('phi3')],
  ['phi3.block_count', u32(2)],
  ['phi3.context_length', u32(4096)],
  ['phi3.embedding_length', u32(32)],
  ['phi3.attention.head_count', u32(4)],
  ['phi3.attention.head_count_kv', u32(2)],
  ['phi3.attention.layer_norm_rms_epsilon', f32(1e-5)],
  ['phi3.rope.dimension_count', u32(8)],
  ['tokenizer.ggml.tokens', strings(['<unk>', '<0x41>', 'a', 'b'])],
  ['tokenizer.ggml.scores', f32s([0, 0, -1, -2])],
  ['tokenizer.ggml.token_type', i32s([2, 6, 1, 1])],
  ['tokenizer.ggml.merges', strings(['a b', '  a'])],
  ['tokenizer.ggml.eos_token_id', u32(3)],
  ['tokenizer.ggml.padding_token_id', u32(4294967295)],
];

async function check(changes: Readonly<Record<string, GgufValue | undefined>>): Promise<string> {
  const metadata = new Map(GOOD);
  for (const [key, value] of Object.entries(changes)) {
    if (value) metadata.set(key, value);
    else metadata.delete(key);
  }
  const { header, size } = layoutGguf({ metadata, tensors: TENSORS });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  const file = await readGguf(memorySource(bytes, 'm.gguf'));
  try {
    checkModel(file);
    return 'fine';
  } catch (error) {
    expect(error).toMatchObject({ kind: 'input' });
    return (error as Error).message;
  }
}

test('a model in order passes, also with heads by layer and without a vocabulary', async () => {
  expect(await check({})).toBe('fine');
  const byLayer = { 'phi3.attention.head_count': u32s([4, 8]), 'phi3.attention.head_count_kv': u32s([4, 2]) };
  expect(await check(byLayer)).toBe('fine');
  expect(await check({ 'tokenizer.ggml.tokens': undefined })).toBe('fine');
});

const BROKEN: readonly (readonly [string, GgufValue | undefined, string])[] = [
  ['general.architecture', undefined, 'm.gguf: general.architecture is missing: it is no model'],
  ['phi3.block_count', u32(0), 'm.gguf: phi3.block_count is 0; 1 to 512 is allowed'],
  ['phi3.block_count', u32(513), 'm.gguf: phi3.block_count is 513; 1 to 512 is allowed'],
  ['phi3.block_count', u32(1), 'm.gguf: phi3.block_count is 1, but there is a tensor blk.1.attn_qkv.weight'],
  [
    'phi3.context_length',
    u32(4294967295),
    'm.gguf: phi3.context_length is 4294967295; 1 to 268435456 is allowed',
  ],
  [
    'phi3.embedding_length',
    u32(64),
    'm.gguf: phi3.embedding_length is 64, but the rows of token_embd.weight are 32 wide',
  ],
  ['phi3.attention.head_count', u32(0), 'm.gguf: phi3.attention.head_count is 0'],
  [
    'phi3.attention.head_count_kv',
    u32(8),
    'm.gguf: phi3.attention.head_count_kv is 8, which does not divide head_count 4',
  ],
  [
    'phi3.attention.head_count_kv',
    u32(3),
    'm.gguf: phi3.attention.head_count_kv is 3, which does not divide head_count 4',
  ],
  [
    'phi3.attention.layer_norm_rms_epsilon',
    f32(Number.NaN),
    'm.gguf: phi3.attention.layer_norm_rms_epsilon is NaN; between 0 and 1 is allowed',
  ],
  ['phi3.rope.dimension_count', u32(7), 'm.gguf: phi3.rope.dimension_count is 7, which is odd'],
  [
    'phi3.rope.dimension_count',
    u32(16),
    'm.gguf: rope_factors_long.weight has 4 factors for 16 rope dimensions: half are needed',
  ],
  ['tokenizer.ggml.scores', f32s([0]), 'm.gguf: tokenizer.ggml.scores has 1 elements for 4 tokens'],
  [
    'tokenizer.ggml.token_type',
    i32s([1, 1, 1]),
    'm.gguf: tokenizer.ggml.token_type has 3 elements for 4 tokens',
  ],
  [
    'tokenizer.ggml.tokens',
    strings(['a', '<0x41>', 'c', 'a']),
    'm.gguf: tokenizer.ggml.tokens has "a" twice',
  ],
  [
    'tokenizer.ggml.tokens',
    strings(['a', '<0xZZ>', 'c', 'd']),
    'm.gguf: tokenizer.ggml.tokens: byte token "<0xZZ>" is not of the form <0x41>',
  ],
  [
    'tokenizer.ggml.tokens',
    strings(['a', '<0x-1>', 'c', 'd']),
    'm.gguf: tokenizer.ggml.tokens: byte token "<0x-1>" is not of the form <0x41>',
  ],
  [
    'tokenizer.ggml.merges',
    strings(['a b', 'ab']),
    'm.gguf: tokenizer.ggml.merges: element 1, "ab", is not two pieces parted by a space',
  ],
  ['tokenizer.ggml.eos_token_id', u32(4), 'm.gguf: tokenizer.ggml.eos_token_id is 4, but there are 4 tokens'],
];

test.each(BROKEN)(
  '%s %# that cannot be is refused with file, key and what is allowed',
  async (key, value, message) => {
    expect(await check({ [key]: value })).toBe(message);
  },
);

test('a hyper-parameter of the wrong type is refused', async () => {
  expect(await check({ 'phi3.block_count': str('two') })).toMatch(/^m\.gguf: .*phi3\.block_count/);
});
