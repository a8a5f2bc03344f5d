/** Patterns of file names. */
import { expect, test } from 'vitest';
import { matcher } from './globs.ts';

const PATHS = ['a.gguf', 'b.txt', 'images/a.svg', 'images/dark/a.svg', 'a+b (1).gguf', 'a/b'];
const matches = (...globs: string[]) => PATHS.filter(matcher(globs));

test('a pattern without a slash is for the last name, wherever it is', () => {
  expect(matches('a.*')).toEqual(['a.gguf', 'images/a.svg', 'images/dark/a.svg']);
  expect(matches('?.txt')).toEqual(['b.txt']);
});

test('a pattern with a slash is for the whole path: * stays in a folder, ** does not', () => {
  expect(matches('images/*')).toEqual(['images/a.svg']);
  expect(matches('images/**')).toEqual(['images/a.svg', 'images/dark/a.svg']);
  expect(matches('**/*.svg')).toEqual(['images/a.svg', 'images/dark/a.svg']);
  expect(matches('/a.gguf')).toEqual(['a.gguf']);
});

test('other characters mean themselves, several patterns any of them, none nothing', () => {
  expect(matches('a+b (1).gguf')).toEqual(['a+b (1).gguf']);
  expect(matches('a.gguf', '*.txt')).toEqual(['a.gguf', 'b.txt']);
  expect(matches()).toEqual([]);
});
