import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { randomText } from '../../test/texts.ts';
import { BYTE_SYMBOLS } from './byte-symbols.ts';
import { tokenizerFromJson } from './index.ts';

const added = (id: number, content: string, more: object = {}) => ({ id, content, special: true, ...more });

/** Phi-3's kind: characters, byte tokens, a space in front. */
const CHARACTERS = {
  added_tokens: [
    added(0, '<unk>'),
    added(9, '<|end|>', { rstrip: true }),
    added(10, 'ab', { special: false }),
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  decoder: {
    type: 'Sequence',
    decoders: [{ type: 'Fuse' }, { type: 'Strip', content: ' ', start: 1, stop: 0 }],
  },
  model: {
    type: 'BPE',
    byte_fallback: true,
    unk_token: '<unk>',
    vocab: { '<unk>': 0, '<0xC3>': 1, '<0xA9>': 2, '▁': 3, a: 4, b: 5, '▁a': 6, c: 7, '▁ac': 8 },
    merges: ['▁ a', ['▁a', 'c']],
  },
};

/** Llama 3's kind: bytes, a splitter, BOS by template. */
const BYTES = {
  added_tokens: [added(300, '<|begin|>')],
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: "(?i:'s)|\\p{N}{1,2}|\\s?\\p{L}+" }, behavior: 'Isolated' },
      { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
    ],
  },
  post_processor: {
    type: 'Sequence',
    processors: [
      {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '<|begin|>' } }, { Sequence: { id: 'A' } }],
      },
    ],
  },
  model: {
    type: 'BPE',
    vocab: {
      ...Object.fromEntries(BYTE_SYMBOLS.map((symbol, byte) => [symbol, byte])),
      '12': 256,
      '23': 257,
      "'S": 258,
    },
    merges: ['2 3', '1 2', "' S"],
  },
};

describe('characters with byte tokens', () => {
  const tokenizer = tokenizerFromJson(CHARACTERS);

  test('merges in the order of the list, falls back to bytes, and to the unknown token', () => {
    expect([...tokenizer.encode('acaé!')]).toEqual([8, 4, 1, 2, 0]);
    expect(tokenizer.decode([8, 4, 1, 2])).toBe('acaé');
  });

  test('added tokens are found first; those that strip take white space along, Unicode white space too', () => {
    expect([...tokenizer.encode('cabc')]).toEqual([3, 7, 10, 3, 7]);
    expect([...tokenizer.encode('<|end|> \u0085\u3000a', { special: true })]).toEqual([9, 6]);
    expect([...tokenizer.encode('<|end|>')]).not.toContain(9);
  });

  test('an added token that the model has already keeps its id', () => {
    const twice = { ...CHARACTERS, added_tokens: [added(99, 'c')] };
    expect([...tokenizerFromJson(twice).encode('c', { special: true })]).toEqual([7]);
  });

  test('tokens that are looked for in normalized text are found there', () => {
    const normalized = {
      ...CHARACTERS,
      added_tokens: [added(11, 'x y', { special: false, normalized: true })],
    };
    expect([...tokenizerFromJson(normalized).encode('x y')]).toEqual([11]);
  });

  test('tokenizer_config names the tokens around a text', () => {
    const config = {
      bos_token: { content: '<unk>' },
      eos_token: '<|end|>',
      add_bos_token: true,
      add_eos_token: true,
    };
    const around = tokenizerFromJson(CHARACTERS, { config });
    expect([around.bos, around.eos]).toEqual([0, 9]);
    expect([...around.encode('a', { bos: true })]).toEqual([0, 6, 9]);
  });
});

describe('bytes', () => {
  const tokenizer = tokenizerFromJson(BYTES);

  test('splits by the expression of the file, then merges', () => {
    expect([...tokenizer.encode("123'S")]).toEqual([256, 51, 258]);
    expect([...tokenizer.encode('é')]).toEqual([0xc3, 0xa9]);
  });

  test('takes BOS from the template', () => {
    expect([tokenizer.bos, tokenizer.addBos, tokenizer.vocabularySize]).toEqual([300, true, 301]);
    expect([...tokenizer.encode('1', { bos: true })]).toEqual([300, 49]);
  });
});

const model = (changes: object) => ({ ...CHARACTERS, model: { ...CHARACTERS.model, ...changes } });

test.each<[string, unknown, string]>([
  ['no object', [], 'is not a JSON object'],
  ['no model', {}, 'model: is not a JSON object'],
  ['another kind', model({ type: 'Unigram' }), 'of type "Unigram"'],
  ['an id beyond all bounds', model({ vocab: { a: 2 ** 31 } }), 'token "a" has the id 2147483648'],
  ['an id twice', model({ vocab: { a: 1, b: 1 } }), 'two tokens have the id 1'],
  ['a merge of one', model({ merges: ['ab'] }), 'merges: element 0 is no pair'],
  ['an affix', model({ end_of_word_suffix: '</w>' }), 'end_of_word_suffix'],
  ['an added token without text', { ...CHARACTERS, added_tokens: [{ id: 1 }] }, 'element 0, has no content'],
  ['an unknown step', { ...CHARACTERS, pre_tokenizer: { type: 'Odd' } }, 'is of type "Odd"'],
])('%s is one input error', (_, json, message) => {
  expect(() => tokenizerFromJson(json)).toThrow(message);
  expect(() => tokenizerFromJson(json)).toThrow(expect.objectContaining({ kind: 'input' }));
});

/** A copy in which one value, anywhere, is something else. */
function damaged(value: unknown, random: () => number): unknown {
  const junk = [
    null,
    -1,
    1.5,
    '',
    'x',
    '▁',
    '(',
    [],
    [[]],
    {},
    { type: 'Sequence' },
    true,
    '__proto__',
    2 ** 40,
  ];
  const places: [Record<string, unknown>, string][] = [];
  const copy: unknown = structuredClone(value);
  const collect = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const name of Object.keys(node)) {
      places.push([node as Record<string, unknown>, name]);
      collect((node as Record<string, unknown>)[name]);
    }
  };
  collect(copy);
  const [node, name] = places[Math.floor(random() * places.length)];
  if (random() < 0.3) delete node[name];
  else node[name] = structuredClone(junk[Math.floor(random() * junk.length)]);
  return JSON.parse(JSON.stringify(copy));
}

test('a damaged file is an input error or still a tokenizer, never a crash', () => {
  const random = uniform(10);
  const small = { ...BYTES, model: { ...BYTES.model, vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } };
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const json = damaged(round % 2 ? CHARACTERS : small, random);
    try {
      const tokenizer = tokenizerFromJson(json, {
        config: damaged({ bos_token: 'a', add_bos_token: true }, random),
      });
      const ids = tokenizer.encode(randomText(random, ['ab', '<|end|>']), { special: true, bos: true });
      expect(typeof tokenizer.decode(ids)).toBe('string');
    } catch (error) {
      expect(error, JSON.stringify(json)).toMatchObject({ kind: 'input' });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(300);
});
