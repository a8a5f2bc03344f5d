import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { bool, f32s, i32s, str, strings, u32 } from '../gguf/index.ts';
import { type Tokenizer, tokenizerOf } from './index.ts';
import { byteLevelEntries, type Entries, type Extra, ggufOf, sentencePieceEntries } from './testing.cases.ts';

const open = async (entries: Entries): Promise<Tokenizer> => tokenizerOf(await ggufOf(entries));

/** Id of the byte token of a character of Latin-1. */
const byte = (character: string): number => 3 + character.charCodeAt(0);

describe('SentencePiece', () => {
  /** 259 ▁, 260 a, 261 b, 262 ab, 263 ▁a, 264 ▁ab. */
  const PIECES: Extra[] = [
    { text: '▁', score: -10 },
    { text: 'a', score: -11 },
    { text: 'b', score: -12 },
    { text: 'ab', score: -2 },
    { text: '▁a', score: -1 },
    { text: '▁ab', score: -3 },
  ];

  test('the pair that makes the token of the highest score merges first', async () => {
    const tokenizer = await open(sentencePieceEntries(PIECES));
    expect([...tokenizer.encode('ab')]).toEqual([264]);
    expect([...tokenizer.encode('bab')]).toEqual([259, 261, 262]);
  });

  test('characters without a token become the byte tokens of their UTF-8', async () => {
    const tokenizer = await open(sentencePieceEntries(PIECES));
    expect([...tokenizer.encode('é\0')]).toEqual([259, byte('\u00c3'), byte('\u00a9'), byte('\0')]);
    expect([...tokenizer.encode('\ud800')]).toEqual([...tokenizer.encode('\ufffd')]);
    expect(tokenizer.decode(tokenizer.encode('a é😀\0 '))).toBe('a é😀\0 ');
  });

  test('where byte tokens are missing there is the unknown token, and without that nothing', async () => {
    const few: Entries = {
      ...sentencePieceEntries([]),
      'tokenizer.ggml.tokens': strings(['<unk>', '▁', 'a']),
      'tokenizer.ggml.scores': f32s([0, 0, 0]),
      'tokenizer.ggml.token_type': i32s([2, 1, 1]),
    };
    expect([...(await open(few)).encode('a!')]).toEqual([1, 2, 0]);
    const none = {
      ...few,
      'tokenizer.ggml.tokens': strings(['!', '▁', 'a']),
      'tokenizer.ggml.token_type': i32s([1, 1, 1]),
    };
    expect([...(await open(none)).encode('a!')]).toEqual([1, 2, 0]);
  });

  test('a space goes before every stretch of text unless the file says otherwise', async () => {
    const entries = sentencePieceEntries(PIECES);
    const tokenizer = await open(entries);
    expect([...tokenizer.encode('a<s>a', { special: true })]).toEqual([263, 1, 263]);
    const plain = await open({ ...entries, 'tokenizer.ggml.add_space_prefix': bool(false) });
    expect([...plain.encode('a<s> a', { special: true })]).toEqual([260, 1, 263]);
    expect([tokenizer.decode([263]), plain.decode([263])]).toEqual(['a', ' a']);
    expect(tokenizer.decode([263], { start: false })).toBe(' a');
  });

  test('control tokens are read and written on request only, user-defined ones always', async () => {
    const extra: Extra[] = [
      ...PIECES,
      { text: '<x>', type: 'userDefined' },
      { text: '<y>', type: 'control' },
    ];
    const tokenizer = await open(sentencePieceEntries(extra));
    const plain = [...tokenizer.encode('<x><y>')];
    expect(plain).toEqual([265, 259, byte('<'), byte('y'), byte('>')]);
    expect([...tokenizer.encode('<x><y>', { special: true })]).toEqual([265, 266]);
    expect(tokenizer.decode([265, 266, 260])).toBe('<x>a');
    expect(tokenizer.decode([265, 266, 260], { special: true })).toBe('<x><y>a');
  });

  test('letters never merge into a control, unknown or byte token', async () => {
    const extra: Extra[] = ['<', 's', '>', 's>', '<s', '<0', '<0x', '<0x4', '<0x41', '1>'].map((text) => ({
      text,
    }));
    const tokenizer = await open(sentencePieceEntries([...PIECES, ...extra]));
    for (const text of ['<s>', '<0x41>', '<unk>']) {
      const ids = tokenizer.encode(text);
      expect(ids).not.toContain(tokenizer.tokenOf(text));
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });

  test('BOS goes first by default, EOS last where the file says so, and both only on request', async () => {
    const tokenizer = await open(
      sentencePieceEntries(PIECES, { 'tokenizer.ggml.add_eos_token': bool(true) }),
    );
    expect([...tokenizer.encode('a', { bos: true })]).toEqual([1, 263, 2]);
    expect([...tokenizer.encode('a')]).toEqual([263]);
    expect([...tokenizer.encode('', { bos: true })]).toEqual([1, 2]);
    const without = await open(sentencePieceEntries(PIECES, { 'tokenizer.ggml.add_bos_token': bool(false) }));
    expect([...without.encode('a', { bos: true })]).toEqual([263]);
  });

  test('white space behind special tokens of Phi-3 belongs to them', async () => {
    const extra: Extra[] = [...PIECES, { text: '<|end|>', type: 'control' }];
    const named = await open(sentencePieceEntries(extra, { 'general.name': str('Phi-3-mini') }));
    expect([...named.encode('<|end|> \n a<s> a', { special: true })]).toEqual([265, 263, 1, 259, 263]);
    const other = await open(sentencePieceEntries(extra, { 'general.name': str('other') }));
    expect([...other.encode('<|end|> a', { special: true })]).toEqual([265, 259, 263]);
  });

  test('special ids out of range count as not given', async () => {
    const tokenizer = await open(
      sentencePieceEntries(PIECES, {
        'tokenizer.ggml.eos_token_id': u32(4294967295),
        'tokenizer.ggml.padding_token_id': u32(9999),
      }),
    );
    expect([tokenizer.bos, tokenizer.eos, tokenizer.pad]).toEqual([1, 2, undefined]);
  });

  test('a generation ends with EOS and with tokens known by their text', async () => {
    const extra: Extra[] = [
      ...PIECES,
      { text: '<|end|>', type: 'userDefined' },
      { text: '<|return|>' },
      { text: '<|call|>' },
    ];
    const tokenizer = await open(sentencePieceEntries(extra.slice(0, -2)));
    expect([2, 265, 260].map((id) => tokenizer.isEndOfGeneration(id))).toEqual([true, true, false]);
    expect(tokenizer.eot).toBe(265);
    // With these two beside it, <|end|> ends a part of an answer only.
    expect((await open(sentencePieceEntries(extra))).isEndOfGeneration(265)).toBe(false);
  });
});

describe('byte-level', () => {
  const MERGES = ['a b', 'ab c', 'Ġ a', 'b c'];

  test('merges apply in the order of the list', async () => {
    const tokenizer = await open(byteLevelEntries(MERGES));
    expect([...tokenizer.encode('abc bc')]).toEqual([257, 32, 259]);
    expect(tokenizer.decode([257, 32, 259])).toBe('abc bc');
  });

  test('every byte is a token, so every text survives', async () => {
    const tokenizer = await open(byteLevelEntries(MERGES));
    const text = ' é\0😀\r\n\u0085▁';
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect([...tokenizer.encode('é')]).toEqual([0xc3, 0xa9]);
    expect([...tokenizer.piece(0xc3)]).toEqual([0xc3]);
  });

  test('bytes that the vocabulary lacks are left out and keep their neighbours apart', async () => {
    const entries = byteLevelEntries(['a b']);
    const texts = ['a', 'b', 'ab'];
    const tokenizer = await open({
      ...entries,
      'tokenizer.ggml.tokens': strings(texts),
      'tokenizer.ggml.token_type': i32s([1, 1, 1]),
    });
    expect([...tokenizer.encode('ab!a!b')]).toEqual([2, 0, 1]);
  });

  test('whole words of the vocabulary are taken unmerged where the way of splitting says so', async () => {
    const extra = [{ text: 'cab' }];
    expect([...(await open(byteLevelEntries(MERGES, extra))).encode('cab')]).toEqual([99, 256]);
    const whole = byteLevelEntries(MERGES, extra, { 'tokenizer.ggml.pre': str('llama-bpe') });
    expect([...(await open(whole)).encode('cab')]).toEqual([260]);
  });
});

describe('what cannot be read', () => {
  const GOOD = sentencePieceEntries([{ text: 'a' }]);
  const BYTES = byteLevelEntries(['a b']);

  test.each<[string, Entries, string]>([
    ['no vocabulary', { ...GOOD, 'tokenizer.ggml.tokens': undefined }, '"tokenizer.ggml.tokens" is missing'],
    ['no model', { ...GOOD, 'tokenizer.ggml.model': undefined }, '"tokenizer.ggml.model" is missing'],
    ['another model', { ...GOOD, 'tokenizer.ggml.model': str('bert') }, 'tokenizer.ggml.model is "bert"'],
    ['a prototype for a model', { ...GOOD, 'tokenizer.ggml.model': str('constructor') }, 'is "constructor"'],
    ['an unknown splitting', { ...BYTES, 'tokenizer.ggml.pre': str('new') }, 'tokenizer.ggml.pre is "new"'],
    ['no scores', { ...GOOD, 'tokenizer.ggml.scores': undefined }, 'scores is missing'],
    [
      'too few scores',
      { ...GOOD, 'tokenizer.ggml.scores': f32s([0]) },
      'scores has 1 elements for 260 tokens',
    ],
    [
      'a score that is no number',
      {
        ...GOOD,
        'tokenizer.ggml.scores': f32s(Array.from({ length: 260 }, (_, i) => (i === 7 ? Number.NaN : 0))),
      },
      'the score of token 7',
    ],
    ['too few types', { ...GOOD, 'tokenizer.ggml.token_type': i32s([1, 1]) }, 'token_type has 2 elements'],
    ['no merges', { ...BYTES, 'tokenizer.ggml.merges': undefined }, 'merges is missing'],
    [
      'a merge of one',
      { ...BYTES, 'tokenizer.ggml.merges': strings(['a b', 'ab']) },
      'element 1, "ab", is no pair',
    ],
  ])('%s is one input error', async (_, entries, message) => {
    const file = await ggufOf(entries);
    expect(() => tokenizerOf(file)).toThrow(message);
    expect(() => tokenizerOf(file)).toThrow(expect.objectContaining({ kind: 'input' }));
  });

  test('an unknown splitting names those that are known', async () => {
    const file = await ggufOf({ ...BYTES, 'tokenizer.ggml.pre': str('new') });
    expect(() => tokenizerOf(file)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('llama-bpe') }),
    );
  });

  test('ids that do not exist are an error that names the range', async () => {
    const tokenizer = await open(GOOD);
    for (const id of [-1, 260, 1.5, Number.NaN]) expect(() => tokenizer.decode([id])).toThrow('ids 0 to 259');
  });
});

test('vocabularies of random rubbish encode and decode random texts without harm', async () => {
  const random = uniform(7);
  const pieces = [
    '▁',
    '<0x-1>',
    '<0xZZ>',
    '<0x41>',
    '',
    ' ',
    'a',
    'ab',
    '\ud83d',
    '😀',
    '<s>',
    'constructor',
    '__proto__',
  ];
  for (let round = 0; round < 200; round++) {
    const extra = Array.from({ length: 20 }, (): Extra => {
      const type = (['normal', 'unknown', 'control', 'userDefined', 'unused', 'byte'] as const)[
        Math.floor(random() * 6)
      ];
      const text = Array.from({ length: 3 }, () => pieces[Math.floor(random() * pieces.length)]).join('');
      return {
        text,
        type,
        score: [-1, 0, 1e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][Math.floor(random() * 5)],
      };
    });
    const entries =
      round % 2 ? sentencePieceEntries(extra) : byteLevelEntries(['a b', 'ab ab', '  a', 'x y'], extra);
    const tokenizer = await open(entries);
    const ids = tokenizer.encode(randomText(random, pieces), { special: random() < 0.5, bos: true });
    expect(ids.every((id) => id >= 0 && id < tokenizer.vocabularySize)).toBe(true);
    expect(typeof tokenizer.decode(ids, { special: true })).toBe('string');
  }
});
