import { describe, expect, test } from 'vitest';
import { literal, regexOf } from './regex.ts';

const matches = (source: string, text: string): string[] => text.match(regexOf(source, 'x')) ?? [];

describe('regexOf', () => {
  test.each<[string, string, string[]]>([
    ['\\s', 'a\u0085\ufeff\u3000', ['\u0085', '\u3000']],
    ['[^\\s]', 'a\u0085\ufeff', ['a', '\ufeff']],
    ['\\d+', '1٣²', ['1٣']],
    ['\\w+', 'a_é²-x', ['a_é²', 'x']],
    ["(?i:'s|'ll)", "'S 'Ll 'ſ 's", ["'S", "'Ll", "'ſ", "'s"]],
    ["'(?i:[sd]|ll)x", "'Sx 'LLx 'dX", ["'Sx", "'LLx"]],
    ['(?i:[a-c])D', 'AD bD Cd', ['AD', 'bD']],
    ['\\p{Han}+', 'a漢字b', ['漢字']],
    ['\\p{^L}', 'a1', ['1']],
    ['\\P{^L}', 'a1', ['a']],
    ['[^\\r\\n\\p{L}]?+\\p{L}++', ' ab!c', [' ab', '!c']],
    ['[\\r\\n/]', 'a/\n', ['/', '\n']],
    ['[\\\'\\"\\-]', '\'"-', ["'", '"', '-']],
    ["\\-\\'", "-'", ["-'"]],
    ['[]a]', ']a', [']', 'a']],
    ['.', '\r\n\u2028', ['\r', '\u2028']],
    ['^a$', 'a\na', ['a', 'a']],
    ['a{1,2}', 'aaa', ['aa', 'a']],
    ['(a)(?=b)|(?<!a)c', 'ab ac c', ['a', 'c']],
  ])('%s finds in %j what Oniguruma finds', (source, text, expected) => {
    expect(matches(source, text)).toEqual(expected);
  });

  test.each(['[a&&b]', '[[:alpha:]]', '\\h', '\\1', '(?<n>a)', '(?>a)', '\\p{Nothing}', '(', 'a\\', '\\z'])(
    '%s is an input error, not a guess',
    (source) => {
      expect(() => regexOf(source, 't.json')).toThrow('t.json: its regular expression');
      expect(() => regexOf(source, 't.json')).toThrow(expect.objectContaining({ kind: 'input' }));
    },
  );
});

test('literal matches a text and nothing else', () => {
  expect('a.b(c)|a-b'.match(literal('.b(c)|'))).toEqual(['.b(c)|']);
  expect('▁ ▁'.match(literal('▁'))).toEqual(['▁', '▁']);
});
