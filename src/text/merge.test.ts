import { describe, expect, test } from 'vitest';
import { uniform } from '../../test/random.ts';
import { Joints } from './joints.ts';
import { PairMerger, type Pairs } from './merge.ts';
import { ScoredEncoder } from './scored.ts';
import { Vocabulary } from './vocabulary.ts';

/** Merges of texts: the symbols that are left. */
function merge(text: string, ranks: Readonly<Record<string, number>>, merger = new PairMerger()): string[] {
  const pairs: Pairs = {
    rank: (left, _, end) => ranks[text.slice(left, end)] ?? Number.POSITIVE_INFINITY,
    join: () => {},
  };
  const next = merger.run(text.length, pairs);
  const symbols: string[] = [];
  for (let at = 0; at < text.length; at = next[at]) symbols.push(text.slice(at, next[at]));
  return symbols;
}

describe('PairMerger', () => {
  test('the pair of the least rank goes first', () => {
    expect(merge('abc', { ab: 1, bc: 0 })).toEqual(['a', 'bc']);
    expect(merge('abc', { ab: 0, bc: 1 })).toEqual(['ab', 'c']);
  });

  test('of equal ranks the leftmost goes first', () => {
    expect(merge('aaa', { aa: 0 })).toEqual(['aa', 'a']);
    expect(merge('aaaaa', { aa: 0, aaaa: 1 })).toEqual(['aaaa', 'a']);
  });

  test('what was merged away is not merged again', () => {
    expect(merge('abcd', { bc: 0, ab: 1, cd: 2, bcd: 3 })).toEqual(['a', 'bcd']);
  });

  test('nothing, one symbol and symbols that never merge stay as they are', () => {
    expect(merge('', {})).toEqual([]);
    expect(merge('a', { a: 0 })).toEqual(['a']);
    expect(merge('abc', {})).toEqual(['a', 'b', 'c']);
  });

  test('one merger serves texts of any length in turn', () => {
    const merger = new PairMerger();
    const long = 'ab'.repeat(100_000);
    expect(merge(long, { ab: 0 }, merger)).toHaveLength(100_000);
    expect(merge('abab', { ab: 0 }, merger)).toEqual(['ab', 'ab']);
  });
});

/** Tokens a, aa, aaaa … and ab, abab …: everything merges with everything. */
function greedyVocabulary(): { vocabulary: Vocabulary; scores: number[] } {
  const texts = ['a', 'b', 'ba'];
  for (let length = 2; length <= 1024; length *= 2) {
    texts.push('a'.repeat(length), 'ab'.repeat(length / 2));
  }
  const vocabulary = new Vocabulary({ texts, kinds: texts.map(() => 'normal'), special: {} });
  return { vocabulary, scores: texts.map(({ length }) => -length) };
}

test('cutting at joints changes no ids: pieces merge as they do in the whole text', () => {
  const random = uniform(9);
  const letters = ['a', 'b', '▁', '😀', 'é'];
  const word = (most: number): string =>
    Array.from({ length: 1 + Math.floor(random() * most) }, () => letters[Math.floor(random() * 5)]).join('');
  let cuts = 0;
  for (let round = 0; round < 300; round++) {
    const texts = [...new Set(['a', 'b', '▁', ...Array.from({ length: 8 }, () => word(4))])];
    const vocabulary = new Vocabulary({ texts, kinds: texts.map(() => 'normal'), special: {} });
    const encoder = new ScoredEncoder(vocabulary, texts.map(random));
    const text = word(40);
    const pieces = new Joints(texts).cut(text);
    cuts += pieces.length - 1;
    expect(pieces.join('')).toBe(text);
    expect(pieces.flatMap((piece) => encoder.encode(piece))).toEqual(encoder.encode(text));
  }
  expect(cuts).toBeGreaterThan(300);
});

test.each(['a', 'ab', 'aab'])(
  'twice as long a text without spaces (%s…) takes at most 2.3 times the steps: n log n, not n²',
  (unit) => {
    const { vocabulary, scores } = greedyVocabulary();
    const steps = (length: number): number => {
      const encoder = new ScoredEncoder(vocabulary, scores);
      encoder.encode(unit.repeat(length / unit.length));
      return encoder.merger.work.lookups + encoder.merger.work.moves;
    };
    for (const length of [1 << 12, 1 << 14, 1 << 16]) {
      expect(steps(2 * length) / steps(length)).toBeLessThan(2.3);
    }
  },
);
