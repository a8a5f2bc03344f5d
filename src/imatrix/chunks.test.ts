/** Texts as chunks of tokens, and token ids as text. */
import { expect, test } from 'vitest';
import { chunksOf, parseTokenIds } from './index.ts';

const text = (...tokens: number[]) => ({ name: 'a.txt', tokens: Int32Array.from(tokens), weight: 1 });

test('chunks do not overlap, and what is left over is dropped', () => {
  expect(chunksOf(text(1, 2, 3, 4, 5, 6, 7), { size: 3 })).toEqual([
    Int32Array.of(1, 2, 3),
    Int32Array.of(4, 5, 6),
  ]);
});

test('the beginning-of-sequence token takes the place of the first token of each chunk', () => {
  const own = text(1, 2, 3, 4);
  expect(chunksOf(own, { size: 2, bos: 9 })).toEqual([Int32Array.of(9, 2), Int32Array.of(9, 4)]);
  expect(own.tokens).toEqual(Int32Array.of(1, 2, 3, 4));
});

test('chunks are skipped, then limited', () => {
  expect(chunksOf(text(1, 2, 3, 4, 5, 6), { size: 2, skip: 1, limit: 1 })).toEqual([Int32Array.of(3, 4)]);
});

test('a text of exactly one chunk is enough', () => {
  expect(chunksOf(text(1, 2), { size: 2 })).toHaveLength(1);
});

test.each([
  ['no tokens', text(), { size: 2 }, 'a.txt: is empty'],
  ['less than a chunk', text(1, 2, 3), { size: 4 }, 'a.txt: has 3 tokens, one chunk needs 4'],
  ['all skipped', text(1, 2, 3, 4), { size: 2, skip: 2 }, 'a.txt: has 2 chunks, and --skip 2 leaves none'],
])('%s is an error', (_, own, options, message) => {
  expect(() => chunksOf(own, options)).toThrow(message);
});

test('token ids are parted by any white space', () => {
  expect(parseTokenIds('ids.txt', '1 2\n\n 31999\t5\r\n')).toEqual(Int32Array.of(1, 2, 31999, 5));
});

test.each([
  ['a word', '1\n2 x3', 'ids.txt:2: "x3" is no token id'],
  ['a negative number', '-1', 'ids.txt:1: "-1" is no token id'],
  ['2^31', '2147483648', 'ids.txt:1: "2147483648" is no token id'],
])('%s is no token id', (_, ids, message) => {
  expect(() => parseTokenIds('ids.txt', ids)).toThrow(message);
});
