/** quantize as a user runs it: output, exit codes, threads. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeImportanceMatrix } from '../src/imatrix/index.ts';
import { buildImportance, buildModel, phiMetadata, phiTensors } from '../src/quantize/testing.cases.ts';
import { bitmill } from './cli.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-cli-quantize-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => path.join(folder, name);

const TENSORS = phiTensors(1, 256);
writeFileSync(at('tiny-f16.gguf'), buildModel(TENSORS, phiMetadata(1)));
writeFileSync(at('tiny.imatrix'), writeImportanceMatrix(buildImportance(TENSORS), 'dat'));
writeFileSync(at('junk.imatrix'), Buffer.alloc(100, 255));
writeFileSync(at('mine.json'), '{"name":"mine","base":"Q6_K","rules":[{"match":"ffn_up","type":"Q8_0"}]}');

const quantize = (out: string, ...args: string[]) =>
  bitmill(['quantize', at('tiny-f16.gguf'), '-o', at(out), ...args]);

test('writes a file for each type, a manifest, and a table on stdout', () => {
  const { code, stdout, stderr } = quantize('a', '--types', 'q8_0,Q6_K', '--imatrix', at('tiny.imatrix'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^2 files in \d+\.\d s: /) });
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual([
    'file',
    'tiny-Q8_0.gguf',
    'tiny-Q6_K.gguf',
    '',
  ]);
  expect(readdirSync(at('a')).sort()).toEqual(['manifest.json', 'tiny-Q6_K.gguf', 'tiny-Q8_0.gguf']);
});

test('one and two threads write the same bytes', () => {
  for (const threads of ['1', '2']) {
    expect(quantize(`t${threads}`, '--types', 'Q5_0,Q3_K_S', '--threads', threads).code).toBe(0);
  }
  for (const type of ['Q5_0', 'Q3_K_S']) {
    const [one, two] = ['t1', 't2'].map((out) => readFileSync(path.join(at(out), `tiny-${type}.gguf`)));
    expect(one.equals(two)).toBe(true);
  }
});

test('a dry run writes nothing; --json lists the tensors; a recipe file is a type of its own', () => {
  const { code, stdout } = quantize('dry', '--recipes', at('mine.json'), '--dry-run', '--json');
  const { types } = JSON.parse(stdout) as { types: { type: string; tensors: Record<string, string> }[] };
  expect(code).toBe(0);
  expect(types[0].type).toBe('mine');
  expect(types[0].tensors).toMatchObject({ 'blk.0.ffn_up.weight': 'Q8_0', 'blk.0.ffn_down.weight': 'Q6_K' });
  expect(readdirSync(folder)).not.toContain('dry');
});

test('shards are written under the names that readers look for', () => {
  expect(quantize('s', '--types', 'Q8_0', '--split', '400K', '--name', 'x').code).toBe(0);
  const names = readdirSync(at('s')).filter((name) => name.endsWith('.gguf'));
  expect(names[0]).toBe('x-Q8_0-00001-of-00003.gguf');
  expect(names).toHaveLength(3);
  const { stdout } = bitmill(['inspect', path.join(at('s'), names[1]), '--json']);
  expect(stdout).toContain('"shards"');
});

test.each([
  ['an unknown type', 2, ['--types', 'Q9'], 'unknown file type "Q9"'],
  ['no type', 2, [], 'no file type named'],
  ['an unknown recipe set', 2, ['--types', 'Q8_0', '--recipes', 'llama.cpp-2024'], 'unknown recipe set'],
  ['a type that needs importance', 2, ['--types', 'IQ2_XS'], 'needs an importance matrix'],
  ['a pattern that matches nothing', 2, ['--types', 'Q8_0', '--keep', 'nope'], 'matches no tensor'],
  ['a size that is none', 2, ['--types', 'Q8_0', '--split', 'big'], '--split big: is no size'],
  ['a damaged importance matrix', 3, ['--types', 'Q8_0', '--imatrix', 'JUNK'], 'number of entries is -1'],
  ['a missing importance matrix', 3, ['--types', 'Q8_0', '--imatrix', 'NONE'], 'no such file'],
])('%s exits with %i', (_, code, args, message) => {
  const paths = args.map((arg) => arg.replace('JUNK', at('junk.imatrix')).replace('NONE', at('none')));
  const result = quantize('bad', ...paths);
  expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
  expect(result.stderr).toContain(message);
  expect(readdirSync(folder)).not.toContain('bad');
});

test('a model is not overwritten by its own quantization, and is not quantized twice unasked', () => {
  const source = path.join(at('a'), 'tiny-Q8_0.gguf');
  const twice = bitmill(['quantize', source, '-o', at('a'), '--types', 'Q6_K']);
  expect(twice.code).toBe(3);
  expect(twice.stderr).toContain('is quantized already');
  const own = bitmill(['quantize', source, '-o', at('a'), '--types', 'Q8_0', '--name', 'tiny']);
  expect(own.code).toBe(2);
  expect(own.stderr).toContain('is the input itself');
});
