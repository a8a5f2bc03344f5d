/** Tokens of one tokenizer are compared as tokens, those of two as words. */
import { expect, test } from 'vitest';
import { cutAlike, type ToldToken, tokenUnits, wordUnits } from './units.ts';

const tokens = (text: string): ToldToken[] =>
  text.split('|').map((token, i) => ({ token, logprob: -(i + 1), top: [{ token: 'x', logprob: -i }] }));

test('the same cuts, also where one answer goes on or differs', () => {
  expect(cutAlike(tokens('The| cap|ital'), tokens('The| cap|ital| is'))).toBe(true);
  expect(cutAlike(tokens('The| cap|ital'), tokens('The| cap|tain'))).toBe(true);
  expect(cutAlike(tokens('The| cap|ital'), tokens('The| car'))).toBe(true);
  expect(cutAlike(tokens('It'), tokens('The'))).toBe(true);
  expect(cutAlike([], tokens('The'))).toBe(true);
});

test('other cuts of the same text are another tokenizer', () => {
  expect(cutAlike(tokens('The| cap|ital| is'), tokens('The| capital| is'))).toBe(false);
  expect(cutAlike(tokens('T|h|e| capital'), tokens('The| capital'))).toBe(false);
});

test('words are tokens up to the next white space; their probabilities multiply', () => {
  expect(wordUnits(tokens('The| cap|ital|.|\n|It'))).toEqual([
    { text: 'The', logprob: -1, top: [{ token: 'x', logprob: -0 }] },
    { text: ' capital.', logprob: -9, top: [{ token: 'x', logprob: -1 }] },
    { text: '\n', logprob: -5, top: [{ token: 'x', logprob: -4 }] },
    { text: 'It', logprob: -6, top: [{ token: 'x', logprob: -5 }] },
  ]);
  expect(
    wordUnits([
      { token: 'a', logprob: undefined, top: [] },
      { token: 'b', logprob: -1, top: [] },
    ]),
  ).toEqual([{ text: 'ab', logprob: undefined, top: [] }]);
});

test('tokens stay tokens', () => {
  expect(tokenUnits(tokens('a|b')).map(({ text }) => text)).toEqual(['a', 'b']);
});
