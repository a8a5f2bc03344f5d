/** `bitmill tokenize` as a user runs it, on vocabularies made here. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { f32s, type GgufValue, i32s, layoutGguf, str, strings } from '../src/gguf/index.ts';
import { bitmill } from './cli.ts';

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-tokenize-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const GGUF = path.join(FOLDER, 'vocabulary.gguf');
const metadata = new Map<string, GgufValue>([
  ['general.architecture', str('llama')],
  ['tokenizer.ggml.model', str('llama')],
  ['tokenizer.ggml.tokens', strings(['<unk>', '<s>', '</s>', '▁', 'a', '▁a', '<0xC3>', '<0xA9>'])],
  ['tokenizer.ggml.scores', f32s([0, 0, 0, -2, -3, -1, 0, 0])],
  ['tokenizer.ggml.token_type', i32s([2, 3, 3, 1, 1, 1, 6, 6])],
]);
writeFileSync(GGUF, layoutGguf({ metadata, tensors: [] }).header);

writeFileSync(
  path.join(FOLDER, 'tokenizer.json'),
  JSON.stringify({ model: { type: 'BPE', vocab: { a: 0, b: 1, ab: 2 }, merges: ['a b'] } }),
);
writeFileSync(
  path.join(FOLDER, 'tokenizer_config.json'),
  JSON.stringify({ bos_token: 'b', add_bos_token: true }),
);
writeFileSync(path.join(FOLDER, 'text.txt'), 'a a');

const run = (...args: string[]) => bitmill(['tokenize', ...args]);

test('prints an id a line with what it stands for; bytes in hexadecimal', () => {
  const { code, stdout } = run('-m', GGUF, 'aé');
  expect(code).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.trim()),
  ).toEqual(['5  " a"', '6  "<0xC3>"', '7  "<0xA9>"']);
});

test('reads a file, adds BOS, reads control tokens, counts', () => {
  const file = path.join(FOLDER, 'text.txt');
  expect(run('-m', GGUF, '-f', file, '--bos', '--count').stdout).toBe('3\n');
  expect(JSON.parse(run('-m', GGUF, '--special', '--json', 'a</s>').stdout)).toEqual({
    model: GGUF,
    count: 2,
    tokens: [
      { id: 5, text: ' a' },
      { id: 2, text: '</s>' },
    ],
  });
});

test('takes a checkpoint folder and a tokenizer.json, with the config beside it', () => {
  for (const model of [FOLDER, path.join(FOLDER, 'tokenizer.json')]) {
    expect(JSON.parse(run('-m', model, '--bos', '--json', 'ab').stdout).tokens).toEqual([
      { id: 1, text: 'b' },
      { id: 2, text: 'ab' },
    ]);
  }
});

test('--decode turns ids into text', () => {
  expect(run('-m', GGUF, '--decode', '5', '5,7').stdout).toBe('a a\ufffd\n');
  expect(run('-m', GGUF, '--decode', '--special', '[1, 5]').stdout).toBe('<s> a\n');
});

test.each([
  ['an id that does not exist', ['--decode', '8'], 2, 'ids 0 to 7'],
  ['what is no id', ['--decode', '1 x'], 2, '"x" is not part of a list of ids'],
  ['text twice', ['a', '-f', 'b'], 2, 'either a text or --file'],
  ['a file that is not there', ['-f', path.join(FOLDER, 'none')], 3, 'no such file'],
])('%s is one error', (_, args, code, message) => {
  const result = run('-m', GGUF, ...args);
  expect(result.code).toBe(code);
  expect(result.stderr).toContain(message);
});

test('a folder without a tokenizer is one error', () => {
  expect(run('-m', mkdtempSync(path.join(FOLDER, 'empty-')), 'a')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('has no tokenizer.json'),
  });
});

test('text that is not UTF-8 is one error', () => {
  const file = path.join(FOLDER, 'latin1.txt');
  writeFileSync(file, Uint8Array.of(0x61, 0xe9, 0x62));
  expect(run('-m', GGUF, '-f', file)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('is not UTF-8'),
  });
});
