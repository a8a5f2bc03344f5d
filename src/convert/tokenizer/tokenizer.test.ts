import { describe, expect, it } from 'vitest';
import {
  llamaFiles,
  openTestCheckpoint,
  phi3Files,
  sentencePieceJson,
  type TestFiles,
  TINY,
} from '../../../test/tiny-checkpoints.ts';
import { type TokenizerMetadata, tokenizerMetadata } from './index.ts';
import { detectPre } from './pre.ts';

async function read(files: TestFiles, pre?: string) {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const metadata = await tokenizerMetadata(await openTestCheckpoint(files), TINY.V, { pre, warn });
  return { ...metadata, warnings };
}

function value({ entries }: TokenizerMetadata, key: string): unknown {
  return entries.find(([name]) => name === key)?.[1].value;
}

function list(metadata: TokenizerMetadata, key: string): readonly unknown[] {
  const found = value(metadata, key);
  return Array.isArray(found) ? found : [];
}

describe('SentencePiece', () => {
  it('numbers scores from the first normal piece, puts runs of spaces last, pads to the size of the model', async () => {
    const json = sentencePieceJson(['▁a', '▁▁', '▁', 'a'], ['▁ a', '▁ ▁']);
    const metadata = await read(phi3Files({ files: { 'tokenizer.json': json } }));
    expect(metadata.kind).toBe('sentencepiece');
    expect(list(metadata, 'tokenizer.ggml.tokens').slice(258)).toEqual([
      '<0xFF>',
      '▁a',
      '▁▁',
      '▁',
      'a',
      '[PAD263]',
    ]);
    expect(list(metadata, 'tokenizer.ggml.scores').slice(258)).toEqual([0, 0, -1e9, -1e9, -3, -10000]);
    expect(list(metadata, 'tokenizer.ggml.token_type').slice(258)).toEqual([6, 1, 1, 1, 1, 5]);
    // <unk>, <s>, </s> are listed as special added tokens.
    expect(list(metadata, 'tokenizer.ggml.token_type').slice(0, 4)).toEqual([3, 3, 3, 6]);
    expect(list(metadata, 'tokenizer.ggml.scores').slice(0, 4)).toEqual([-1000, -1000, -1000, 0]);
  });

  it('scores by the rank of the merge where ids are in no order', async () => {
    const json = sentencePieceJson(['ab', '▁a', 'a', 'b'], ['▁ a', 'a b']);
    const metadata = await read(phi3Files({ files: { 'tokenizer.json': json } }));
    expect(list(metadata, 'tokenizer.ggml.scores').slice(259, 261)).toEqual([-1, -0]);
  });

  it('leaves out added tokens beyond the vocabulary, with a warning', async () => {
    const decoder = { '999': { content: '<far>', special: true }, '263': { content: '▁x', special: false } };
    const files = phi3Files({ files: { 'tokenizer_config.json': { added_tokens_decoder: decoder } } });
    const metadata = await read(files);
    expect(metadata.warnings).toEqual([
      `token 999 "<far>" is beyond the model's vocabulary of ${TINY.V}; left out`,
    ]);
    expect(list(metadata, 'tokenizer.ggml.tokens')[263]).toBe(' x');
    expect(list(metadata, 'tokenizer.ggml.token_type')[263]).toBe(4);
  });

  it('refuses vocabularies larger than the model, ids taken twice, and other kinds of models', async () => {
    const many = sentencePieceJson(['a', 'b', 'c', 'd', 'e', 'f'], []);
    await expect(read(phi3Files({ files: { 'tokenizer.json': many } }))).rejects.toThrow(
      'token "f" has the id 264, but the config\'s vocab_size is 264',
    );
    const twice = { model: { type: 'BPE', byte_fallback: true, vocab: { a: 1, b: 1 }, merges: [] } };
    await expect(read(phi3Files({ files: { 'tokenizer.json': twice } }))).rejects.toThrow(
      'two tokens have the id 1',
    );
    const unigram = { model: { type: 'Unigram', vocab: [] } };
    await expect(read(phi3Files({ files: { 'tokenizer.json': unigram } }))).rejects.toThrow(
      'of type "Unigram"',
    );
    const files = { ...phi3Files() };
    delete (files as Record<string, unknown>)['tokenizer.json'];
    await expect(read(files)).rejects.toThrow('has neither a tokenizer.json');
  });
});

describe('tokenizer.model', () => {
  /** Protobuf: a piece with its score and type, fields 1, 2 and 3 of field 1. */
  const piece = (text: string, score: number, type: number): number[] => {
    const utf8 = [...new TextEncoder().encode(text)];
    const bits = [...new Uint8Array(Float32Array.of(score).buffer)];
    const body = [0x0a, utf8.length, ...utf8, 0x15, ...bits, 0x18, type];
    return [0x0a, body.length, ...body];
  };
  /** Field 2, the trainer: model_type (3) is BPE (2). */
  const bpe = [0x12, 2, 0x18, 2];
  const pieces = [piece('<unk>', 0, 2), piece('<s>', 0, 3), piece('<0x00>', 0, 6), piece('▁b', -1.5, 1)];
  const model = { 'tokenizer.model': Uint8Array.from([...pieces.flat(), ...bpe]) };

  it('gives pieces, scores and types where there is no tokenizer.json', async () => {
    const { 'tokenizer.json': _, ...files } = phi3Files({ files: { ...model, 'tokenizer_config.json': {} } });
    const metadata = await read(files);
    expect(list(metadata, 'tokenizer.ggml.tokens').slice(0, 5)).toEqual([
      '<unk>',
      '<s>',
      '<0x00>',
      '▁b',
      '[PAD4]',
    ]);
    expect(list(metadata, 'tokenizer.ggml.scores').slice(0, 5)).toEqual([0, 0, 0, -1.5, -10000]);
    expect(list(metadata, 'tokenizer.ggml.token_type').slice(0, 5)).toEqual([2, 3, 6, 1, 5]);
  });

  it('goes before a SentencePiece tokenizer.json, and is not read beside a byte-level one', async () => {
    const both = await read(phi3Files({ files: model }));
    expect(list(both, 'tokenizer.ggml.scores')[3]).toBe(-1.5);
    const other = { 'tokenizer.model': 'IQ== 0', 'tokenizer.json': BYTE_LEVEL };
    expect((await read(llamaFiles({ files: other }))).kind).toBe('byte-level');
  });
});

const BYTE_LEVEL = {
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  added_tokens: [
    { id: 0, content: '<|end|>', special: true },
    { id: 5, content: 'plain', special: false },
  ],
  model: {
    type: 'BPE',
    vocab: { '<|end|>': 0, a: 1, b: 2, ab: 3, Ġa: 4 },
    merges: [
      ['a', 'b'],
      ['Ġ', 'a'],
    ],
  },
};

describe('byte-level BPE', () => {
  const files = llamaFiles({
    files: { 'tokenizer.json': BYTE_LEVEL, 'tokenizer_config.json': { eos_token: { content: '<|end|>' } } },
  });

  it('lists tokens, merges, types and says that no bos is added', async () => {
    const metadata = await read(files);
    expect(metadata.entries.map(([key]) => key)).toEqual([
      'tokenizer.ggml.model',
      'tokenizer.ggml.pre',
      'tokenizer.ggml.tokens',
      'tokenizer.ggml.token_type',
      'tokenizer.ggml.merges',
      'tokenizer.ggml.eos_token_id',
      'tokenizer.ggml.add_bos_token',
    ]);
    expect(value(metadata, 'tokenizer.ggml.model')).toBe('gpt2');
    expect(value(metadata, 'tokenizer.ggml.pre')).toBe('gpt-2');
    expect(list(metadata, 'tokenizer.ggml.tokens').slice(0, 7)).toEqual([
      '<|end|>',
      'a',
      'b',
      'ab',
      'Ġa',
      'plain',
      '[PAD6]',
    ]);
    expect(list(metadata, 'tokenizer.ggml.token_type').slice(0, 7)).toEqual([3, 1, 1, 1, 1, 4, 5]);
    expect(list(metadata, 'tokenizer.ggml.merges')).toEqual(['a b', 'Ġ a']);
    expect(value(metadata, 'tokenizer.ggml.add_bos_token')).toBe(false);
  });

  it('adds bos where the template of tokenizer.json begins with it', async () => {
    const single = [{ SpecialToken: { id: '<|end|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }];
    const json = {
      ...BYTE_LEVEL,
      post_processor: { type: 'Sequence', processors: [{ type: 'TemplateProcessing', single }] },
    };
    const config = { bos_token: '<|end|>' };
    const metadata = await read(
      llamaFiles({ files: { 'tokenizer.json': json, 'tokenizer_config.json': config } }),
    );
    expect(value(metadata, 'tokenizer.ggml.add_bos_token')).toBe(true);
    expect(value(metadata, 'tokenizer.ggml.bos_token_id')).toBe(0);
  });

  it('refuses a splitting that it does not know, and takes the name that the user gives', async () => {
    const json = { ...BYTE_LEVEL, pre_tokenizer: { type: 'WhitespaceSplit' } };
    const odd = llamaFiles({ files: { 'tokenizer.json': json } });
    await expect(read(odd)).rejects.toThrow('its pre_tokenizer is none that bitmill knows');
    expect(value(await read(odd, 'falcon'), 'tokenizer.ggml.pre')).toBe('falcon');
  });
});

/** `pre_tokenizer` as the named models ship it. */
const LLAMA3_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const split = (regex: string) => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
});
const SMOLLM = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Digits', individual_digits: true },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  ],
};

describe('pre-tokenizers', () => {
  it.each([
    ['llama-bpe', split(LLAMA3_SPLIT), { ignore_merges: true }],
    ['dbrx', split(LLAMA3_SPLIT), { ignore_merges: false }],
    ['qwen2', split(LLAMA3_SPLIT.replace('{1,3}', '')), {}],
    ['smollm', SMOLLM, {}],
    ['gpt-2', { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true }, {}],
  ])('recognizes %s', (pre, preTokenizer, model) => {
    expect(detectPre({ pre_tokenizer: preTokenizer }, model, 'tokenizer.json')).toBe(pre);
  });
});

describe('special tokens and templates', () => {
  it('fills ids from config.json and generation_config.json, the first of a list', async () => {
    const metadata = await read(
      phi3Files({
        config: { bos_token_id: 1 },
        files: {
          'tokenizer_config.json': {},
          'generation_config.json': { eos_token_id: [2, 260], bos_token_id: 9 },
        },
      }),
    );
    expect(value(metadata, 'tokenizer.ggml.bos_token_id')).toBe(1);
    expect(value(metadata, 'tokenizer.ggml.eos_token_id')).toBe(2);
  });

  it('takes the chat template of tokenizer_config, else chat_template.jinja', async () => {
    const jinja = { 'chat_template.jinja': 'from file' };
    expect(value(await read(phi3Files({ files: jinja })), 'tokenizer.chat_template')).toBe('{{ messages }}');
    const bare = phi3Files({ files: { ...jinja, 'tokenizer_config.json': {} } });
    expect(value(await read(bare), 'tokenizer.chat_template')).toBe('from file');
  });

  it('writes named templates beside the default one', async () => {
    const chat_template = [
      { name: 'default', template: 'd' },
      { name: 'tool-use', template: 't' },
    ];
    const metadata = await read(phi3Files({ files: { 'tokenizer_config.json': { chat_template } } }));
    expect(metadata.entries.slice(-3).map(([key, { value: text }]) => [key, text])).toEqual([
      ['tokenizer.chat_template.tool_use', 't'],
      ['tokenizer.chat_templates', ['tool_use']],
      ['tokenizer.chat_template', 'd'],
    ]);
  });
});
