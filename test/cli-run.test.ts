import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';

const CHECKPOINT = fileURLToPath(new URL('fixtures/tiny-models/phi3', import.meta.url));
const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-run-'));
const MODEL = path.join(FOLDER, 'tiny.gguf');
const RAW = ['run', '-m', MODEL, '--raw', '-p', 'abc', '-n', '8'];

beforeAll(() => {
  const { code, stderr } = bitmill(['convert', CHECKPOINT, '-o', MODEL, '--dtype', 'f32']);
  expect(code, stderr).toBe(0);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test('the same prompt has the same answer, streamed and as JSON', () => {
  const streamed = bitmill(RAW);
  expect(streamed.code, streamed.stderr).toBe(0);
  const json = bitmill([...RAW, '--json', '--stats']);
  const answer = JSON.parse(json.stdout);
  expect(streamed.stdout).toBe(`${answer.text}\n`);
  expect(answer).toMatchObject({ model: MODEL, finish_reason: 'length', completion_tokens: 8 });
  expect(json.stderr).toMatch(/prompt: \d+ tokens in .* answer: 8 tokens/);
});

test('a seed decides what is drawn', () => {
  const draw = (seed: string) =>
    bitmill([...RAW, '--temperature', '1.5', '--top-p', '0.95', '--seed', seed]).stdout;
  expect(draw('1')).toBe(draw('1'));
  expect(draw('1')).not.toBe(draw('2'));
});

test('the answer ends where the context does', () => {
  const { stdout } = bitmill([...RAW.slice(0, -2), '-c', '12', '--json']);
  const answer = JSON.parse(stdout);
  expect(answer.finish_reason).toBe('context');
  expect(answer.prompt_tokens + answer.completion_tokens).toBe(13);
});

test('what cannot be run is one clear error', () => {
  for (const [options, code, message] of [
    [['-p', 'abc'], 3, /has no chat template/],
    [['-p', 'abc', '--raw', '--system', 'x'], 2, /--system and --raw: one of them/],
    [['-p', 'abc', '--raw', '--temperature', 'warm'], 2, /--temperature: "warm" is not a number/],
    [['-p', 'abc', '--raw', '--top-p', '2'], 2, /topP: 2 is not a number above 0 to 1/],
    [['-p', 'abc'.repeat(99), '--raw', '-c', '8'], 5, /tokens do not fit the context of 8/],
  ] as const) {
    const result = bitmill(['run', '-m', MODEL, ...options]);
    expect(result.code, result.stderr).toBe(code);
    expect(result.stderr).toMatch(message);
  }
});
