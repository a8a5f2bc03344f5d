/** Which tokens are seen together and which are scored. */
import { expect, test } from 'vitest';
import { windowsOf } from './windows.ts';

/** Tokens 100, 101, ... */
const text = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => 100 + i);

const listed = (windows: ReturnType<typeof windowsOf>) =>
  windows.map(({ input, rows, targets }) => ({ input: [...input], rows, targets: [...targets] }));

test('chunks do not overlap, begin with BOS, and their second half is scored', () => {
  const windows = windowsOf(text(13), { contextSize: 6, stride: 0, bos: 1 }, 'text');
  expect(listed(windows)).toEqual([
    { input: [1, 101, 102, 103, 104, 105], rows: { from: 3, to: 5 }, targets: [104, 105] },
    { input: [1, 107, 108, 109, 110, 111], rows: { from: 3, to: 5 }, targets: [110, 111] },
  ]);
});

test('512 tokens have 255 scored predictions, as llama.cpp counts them', () => {
  const [{ targets }] = windowsOf(text(600), { contextSize: 512, stride: 0, bos: undefined }, 'text');
  expect(targets).toHaveLength(255);
});

test('with a stride each token after the first window is scored once, and BOS stands before every window', () => {
  const windows = windowsOf(text(11), { contextSize: 5, stride: 2, bos: 1 }, 'text');
  expect(listed(windows)).toEqual([
    { input: [1, 101, 102, 103, 104], rows: { from: 2, to: 4 }, targets: [103, 104] },
    { input: [1, 103, 104, 105, 106], rows: { from: 2, to: 4 }, targets: [105, 106] },
    { input: [1, 105, 106, 107, 108], rows: { from: 2, to: 4 }, targets: [107, 108] },
    { input: [1, 107, 108, 109, 110], rows: { from: 2, to: 4 }, targets: [109, 110] },
  ]);
});

test('a vocabulary without BOS keeps the first token', () => {
  const [{ input }] = windowsOf(text(4), { contextSize: 4, stride: 0, bos: undefined }, 'text');
  expect([...input]).toEqual([100, 101, 102, 103]);
});

test('a text shorter than a chunk is an error with both numbers', () => {
  expect(() => windowsOf(text(511), { contextSize: 512, stride: 0, bos: 1 }, 'wiki.txt')).toThrow(
    'wiki.txt: has 511 tokens; one chunk needs 512',
  );
});

test('a stride must leave a token to predict from', () => {
  expect(() => windowsOf(text(20), { contextSize: 8, stride: 8, bos: 1 }, 'text')).toThrow(
    'a stride of 8 in a context of 8: at most 7',
  );
});
