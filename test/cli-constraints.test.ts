/** Answers that must look like something: `bitmill run` with schemas and grammars, on random weights. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';

const CHECKPOINT = fileURLToPath(new URL('fixtures/tiny-models/phi3', import.meta.url));
const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-constraints-'));
const TINY = path.join(FOLDER, 'tiny.gguf');
const RAW = ['run', '-m', TINY, '--raw', '-p', 'abc'];

const file = (name: string, text: string): string => {
  const where = path.join(FOLDER, name);
  writeFileSync(where, text);
  return where;
};

beforeAll(() => {
  const { code, stderr } = bitmill(['convert', CHECKPOINT, '-o', TINY, '--dtype', 'f32']);
  expect(code, stderr).toBe(0);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test('random weights write what a grammar says, and stop where it does', () => {
  const grammar = file('yes.gbnf', 'root ::= ("yes" | "no") ", " [a-c]{3} "é"');
  for (const seed of ['1', '2', '3']) {
    const { code, stdout, stderr } = bitmill([
      ...RAW,
      '--grammar',
      grammar,
      '--temperature',
      '1',
      '--seed',
      seed,
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    const { text, finish_reason } = JSON.parse(stdout);
    expect(text).toMatch(/^(yes|no), [a-c]{3}é$/);
    expect(finish_reason).toBe('stop');
  }
});

test('a schema is a file or a text; what is not kept to is a warning', () => {
  const schema =
    '{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 9}}, "required": ["n"], "additionalProperties": false, "x": 1}';
  const inFile = bitmill([...RAW, '--json-schema', file('n.json', schema)]);
  expect(inFile.code, inFile.stderr).toBe(0);
  expect(JSON.parse(inFile.stdout).n).toBeGreaterThanOrEqual(3);
  const inText = bitmill([...RAW, '--json-schema', schema]);
  expect(inText.stdout).toBe(inFile.stdout);
  expect(inText.stderr).toContain('warning: --json-schema: #/x: is no keyword that is known');
});

test('what cannot be followed is one clear error', () => {
  const left = file('left.gbnf', 'root ::= root "a" | "b"');
  for (const [options, code, message] of [
    [['--grammar', left], 3, /left\.gbnf:1:1: rule "root" begins with itself/],
    [['--grammar', file('open.gbnf', 'root ::= (')], 3, /open\.gbnf:1:11: found the end, expected "\)"/],
    [['--grammar', path.join(FOLDER, 'none.gbnf')], 3, /none\.gbnf: --grammar: cannot be read/],
    [['--json-schema', path.join(FOLDER, 'none.json')], 3, /none\.json: --json-schema: cannot be read/],
    [['--json-schema', '{"not": {}}'], 3, /--json-schema: #\/not: not is not supported/],
    [['--json-schema', '{"type": '], 3, /--json-schema: is no JSON/],
    [['--json-schema', '{}', '--grammar', left], 2, /--json-schema and --grammar: one of them/],
  ] as const) {
    const result = bitmill([...RAW, ...options]);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
  }
});
