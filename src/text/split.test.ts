import { describe, expect, test } from 'vitest';
import { PRE_TOKENIZERS, patternsOf } from './pre-tokenizers.ts';
import { splitBy } from './split.ts';

const split = (name: string, text: string): string[] => {
  const pre = PRE_TOKENIZERS.get(name);
  return pre ? splitBy(text, patternsOf(pre)) : [];
};

describe('splitBy', () => {
  test('what matches and what lies between are pieces; each expression splits the pieces of the one before', () => {
    expect(splitBy('a1b22', [/\d/g])).toEqual(['a', '1', 'b', '2', '2']);
    expect(splitBy('a1bb', [/\d/g, /b/g])).toEqual(['a', '1', 'b', 'b']);
    expect(splitBy('', [/\d/g])).toEqual([]);
    expect(splitBy('ab', [/(?=b)/g])).toEqual(['a', 'b']);
  });

  test('a run of ten million letters, too long for the stack of a regular expression, is cut and not lost', () => {
    const text = `ab ${'中'.repeat(10_000_000)} cd`;
    const pieces = split('gpt-2', text);
    expect(pieces[0]).toBe('ab');
    expect(pieces.at(-1)).toBe(' cd');
    expect(pieces.join('') === text).toBe(true);
  });
});

describe('pre-tokenizers', () => {
  test.each<[string, string, string[]]>([
    ['gpt-2', "I'm 2021!  ok\n", ['I', "'m", ' 2021', '!', ' ', ' ok', '\n']],
    ['smollm', ' 2021', [' ', '2', '0', '2', '1']],
    ['llama-bpe', "I'M 20215!\n\n x", ['I', "'M", ' ', '202', '15', '!\n\n', ' x']],
    ['qwen2', ' 21(x', [' ', '2', '1', '(x']],
    ['gpt-4o', "camelCase's", ['camel', "Case's"]],
    ['tekken', 'HTTPServer', ['HTTPServer']],
    ['default', 'a+12345', ['a', '+', '123', '45']],
    ['deepseek-v3', 'a漢字b', ['a', '漢字', 'b']],
  ])('%s splits %j', (name, text, pieces) => {
    expect(split(name, text)).toEqual(pieces);
  });

  test.each(['gpt-2', 'llama-bpe', 'qwen2'])('%s takes Unicode white space for white space', (name) => {
    expect(split(name, 'a\u0085\u3000b')).toEqual(
      name === 'gpt-2' ? ['a', '\u0085', '\u3000', 'b'] : ['a', '\u0085', '\u3000b'],
    );
    expect(split(name, 'a\ufeff')).toEqual(['a', '\ufeff']);
  });
});
