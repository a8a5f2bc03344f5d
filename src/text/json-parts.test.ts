import { describe, expect, test } from 'vitest';
import { cutterOf, normalizerOf } from './json-parts.ts';

const cut = (value: unknown, text: string, first = true) => cutterOf(value, 't.json')([text], first);
const split = (behavior: string, invert = false) => ({
  type: 'Split',
  pattern: { Regex: '-' },
  behavior,
  invert,
});

describe('pre_tokenizer', () => {
  test.each<[string, boolean, string[]]>([
    ['Isolated', false, ['a', '-', '-', 'b', '-']],
    ['Removed', false, ['a', 'b']],
    ['Removed', true, ['-', '-', '-']],
    ['MergedWithPrevious', false, ['a-', '-', 'b-']],
    ['MergedWithNext', false, ['a', '-', '-b', '-']],
    ['Contiguous', false, ['a', '--', 'b', '-']],
  ])('Split %s (inverted: %s) parts a--b-', (behavior, invert, expected) => {
    expect(cut(split(behavior, invert), 'a--b-')).toEqual(expected);
  });

  test('Digits parts numbers, one digit at a time or whole', () => {
    expect(cut({ type: 'Digits', individual_digits: true }, 'a12b')).toEqual(['a', '1', '2', 'b']);
    expect(cut({ type: 'Digits', individual_digits: false }, 'a12b')).toEqual(['a', '12', 'b']);
  });

  test('ByteLevel has the splitter of GPT-2 and a space in front where it says so', () => {
    expect(cut({ type: 'ByteLevel' }, "I'm  ok")).toEqual(['I', "'m", ' ', ' ok']);
    expect(cut({ type: 'ByteLevel', add_prefix_space: true }, 'a b')).toEqual([' a', ' b']);
    expect(cut({ type: 'ByteLevel', use_regex: false }, 'a b')).toEqual(['a b']);
  });

  test.each<[string, boolean, string]>([
    ['always', false, '▁a▁b'],
    ['first', true, '▁a▁b'],
    ['first', false, 'a▁b'],
    ['never', true, 'a▁b'],
  ])('Metaspace %s (first stretch: %s) writes %s', (prepend_scheme, first, expected) => {
    expect(cut({ type: 'Metaspace', prepend_scheme, split: false }, 'a b', first)).toEqual([expected]);
  });

  test('Metaspace parts before every symbol unless split is off', () => {
    expect(cut({ type: 'Metaspace' }, 'a  b')).toEqual(['▁a', '▁', '▁b']);
  });

  test('a Sequence applies its steps in turn; none at all leaves the text whole', () => {
    const sequence = { type: 'Sequence', pretokenizers: [split('Isolated'), { type: 'ByteLevel' }] };
    expect(cut(sequence, 'a b-c')).toEqual(['a', ' b', '-', 'c']);
    expect(cut(null, 'a b')).toEqual(['a b']);
  });
});

describe('normalizer', () => {
  test.each<[object, string, string]>([
    [{ type: 'Prepend', prepend: '▁' }, 'a', '▁a'],
    [{ type: 'Prepend', prepend: '▁' }, '', ''],
    [{ type: 'Replace', pattern: { String: '.' }, content: '$&' }, 'a.b', 'a$&b'],
    [{ type: 'Replace', pattern: { Regex: '[ab]+' }, content: '' }, 'aabc', 'c'],
    [{ type: 'NFC' }, 'e\u0301', 'é'],
    [{ type: 'NFKD' }, 'ﬁ', 'fi'],
    [{ type: 'Lowercase' }, 'AÉ', 'aé'],
    [{ type: 'Strip', strip_left: true, strip_right: false }, ' a ', 'a '],
  ])('%j', (value, text, expected) => {
    expect(normalizerOf(value, 't.json')(text)).toBe(expected);
  });
});

test.each<[unknown, string]>([
  [{ type: 'Bert' }, 'is of type "Bert", which is not known here'],
  [{ type: 'constructor' }, 'is of type "constructor"'],
  [{}, 'type is "missing", not a string'],
  ['x', 'is not a JSON object'],
  [split('Sideways'), 'its behavior is "Sideways"'],
  [{ type: 'Sequence' }, 'pretokenizers is not a list'],
  [{ type: 'Split', behavior: 'Isolated' }, 'pattern: is not a JSON object'],
])('%j is an input error', (value, message) => {
  expect(() => cutterOf(value, 't.json')).toThrow(message);
  expect(() => cutterOf(value, 't.json')).toThrow(expect.objectContaining({ kind: 'input' }));
});
