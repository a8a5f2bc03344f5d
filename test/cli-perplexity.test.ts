/** `bitmill perplexity` as a user runs it: one model, a base of either form, a folder, and what is wrong told in one line. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';

const CHECKPOINTS = fileURLToPath(new URL('fixtures/tiny-models/', import.meta.url));
const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-perplexity-'));
const at = (name: string): string => path.join(ROOT, name);
afterAll(() => rmSync(ROOT, { recursive: true }));

const [MODEL, QUANT, TEXT, BASE] = [
  at('tiny.gguf'),
  at('quants/tiny-Q4_0.gguf'),
  at('a.txt'),
  at('base.gguf'),
];
const RUN = ['perplexity', '--threads', '1', '-c', '32', '--chunks', '4'];

beforeAll(() => {
  const convert = (model: string, file: string) =>
    bitmill(['convert', path.join(CHECKPOINTS, model), '-o', file, '--dtype', 'f32']);
  convert('llama-gqa-tied', MODEL);
  convert('phi4-partial-tied', at('other.gguf'));
  bitmill(['quantize', MODEL, '-o', at('quants'), '--types', 'Q4_0,Q8_0', '--name', 'tiny']);
  writeFileSync(TEXT, 'The quick brown fox jumps over the lazy dog.\n'.repeat(200));
  writeFileSync(at('b.txt'), 'One two three four five six seven eight nine ten.\n'.repeat(200));
  done(...RUN, '-m', MODEL, '-f', TEXT, '--save-kl-base', BASE);
});

interface Result {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs and demands success. */
function done(...args: readonly string[]): Result {
  const { code, stdout, stderr } = bitmill(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error:') as string });
  return { stdout, stderr };
}

type Json = Readonly<Record<string, number>>;

const json = <T = Json>(...args: readonly string[]): T => JSON.parse(done(...args, '--json').stdout) as T;

test('perplexity with its error, the estimate chunk by chunk on stderr', () => {
  const { stdout, stderr } = done(...RUN, '-m', MODEL, '-f', TEXT);
  expect(stderr).toMatch(/^\[1\][\d.]+,\[2\][\d.]+,\[3\][\d.]+,\[4\][\d.]+,\n$/);
  expect(stdout).toContain('text   a.txt: 4 chunks of 32, 60 predictions scored');
  expect(stdout).toMatch(/of the model +[\d.]+ +± [\d.]+ +[\d.]+ to [\d.]+\n/);
  expect(stdout).not.toContain('KL divergence');
});

test('--json prints one object, every figure with its error', () => {
  const result = json(...RUN, '-m', QUANT, '--kl-base', BASE);
  expect(result).toMatchObject({
    model: QUANT,
    text: 'a.txt',
    chunks: 4,
    tokens: 60,
    ctx_size: 32,
    stride: 0,
  });
  const names = [
    'ppl',
    'base_ppl',
    'kld_mean',
    'kld_median',
    'kld_p90',
    'kld_p95',
    'kld_p99',
    'kld_p999',
    'kld_max',
  ];
  for (const name of [...names, 'ln_ppl_ratio', 'same_top', 'rms_dp']) {
    expect(result[name], name).toEqual(expect.any(Number));
    expect(result[`${name}_se`], name).toEqual(expect.any(Number));
    expect(result[`${name}_ci`], name).toHaveLength(2);
  }
  expect(result['kld_mean']).toBeGreaterThan(0);
  expect(result['ln_ppl_ratio']).toBeCloseTo(Math.log(result['ppl'] / result['base_ppl']), 12);
});

test('a model against its own base: no divergence, with every thread count the same', () => {
  const one = json(...RUN, '-m', MODEL, '--kl-base', BASE);
  const two = json(...RUN, '-m', MODEL, '--kl-base', BASE, '--threads', '2');
  expect(one['kld_max']).toBeLessThan(1e-9);
  expect(one['same_top']).toBe(1);
  expect(two).toEqual(one);
});

test("a base in llama.cpp's format gives the same figures up to its rounding", () => {
  done(...RUN, '-m', MODEL, '-f', TEXT, '--save-kl-base', at('base.kld'), '--base-format', 'llama.cpp');
  expect(readFileSync(at('base.kld')).subarray(0, 8).toString()).toBe('_logits_');
  const own = json(...RUN, '-m', QUANT, '--kl-base', BASE);
  const theirs = json(...RUN, '-m', QUANT, '--kl-base', at('base.kld'));
  expect(theirs['kld_mean'] / own['kld_mean']).toBeCloseTo(1, 2);
  expect(theirs['base_ppl'] / own['base_ppl']).toBeCloseTo(1, 4);
});

test('a folder: one row a model by size, with the paired difference to the next', () => {
  const { stdout } = done(...RUN, '--models', at('quants'), '--kl-base', BASE);
  expect(stdout).toMatch(/tiny-Q4_0\.gguf .* (yes|no)\ntiny-Q8_0\.gguf /);
  const rows = json<{ model: string; kld_mean: number; next?: { kld_mean: Json } }[]>(
    ...RUN,
    '--models',
    at('quants'),
    '--kl-base',
    BASE,
  );
  expect(rows.map(({ model }) => path.basename(model))).toEqual(['tiny-Q4_0.gguf', 'tiny-Q8_0.gguf']);
  const [small, large] = rows;
  expect(small.next?.kld_mean['value']).toBeCloseTo(small.kld_mean - large.kld_mean, 12);
  expect(small.next?.kld_mean['real']).toBe(true);
  expect(large.next).toBeUndefined();
});

test('the original and its quants in one run; what is no model is passed over', () => {
  mkdirSync(at('all'));
  copyFileSync(QUANT, at('all/tiny-Q4_0.gguf'));
  copyFileSync(BASE, at('all/some-base.gguf'));
  const args = [...RUN, '-m', MODEL, '-f', TEXT, '--save-kl-base', at('new.gguf'), '--models', at('all')];
  const rows = json<{ model: string; kld_mean: number }[]>(...args);
  expect(rows.map(({ model }) => path.basename(model))).toEqual(['tiny-Q4_0.gguf']);
  expect(rows[0].kld_mean).toBe(json(...RUN, '-m', QUANT, '--kl-base', BASE)['kld_mean']);
});

test('a model that does not go with the base is left out, named, and the exit code tells', () => {
  mkdirSync(at('mixed'));
  copyFileSync(QUANT, at('mixed/tiny-Q4_0.gguf'));
  writeFileSync(at('mixed/broken.gguf'), readFileSync(QUANT).subarray(0, 5000));
  const { code, stdout, stderr } = bitmill([...RUN, '--models', at('mixed'), '--kl-base', BASE]);
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining('broken.gguf') as string });
  expect(stdout).toContain('tiny-Q4_0.gguf');
});

test('token ids instead of a text, and a stride', () => {
  writeFileSync(at('ids.txt'), Array.from({ length: 40 }, (_, i) => 10 + ((7 * i) % 200)).join('\n'));
  const args = ['perplexity', '-m', MODEL, '--tokens', at('ids.txt'), '-c', '16', '--threads', '1'];
  expect(json(...args)).toMatchObject({ chunks: 2, tokens: 14 });
  expect(json(...args, '--stride', '4')).toMatchObject({ chunks: 7, tokens: 28, stride: 4 });
});

/** Arguments after the model, exit code, and what the line says. */
const WRONG: readonly (readonly [string, () => readonly string[], number, string])[] = [
  ['no text and no base', () => ['-m', MODEL], 2, 'no text named'],
  ['no model', () => ['-f', TEXT], 2, 'no model named'],
  ['a text and ids', () => ['-m', MODEL, '-f', TEXT, '--tokens', TEXT], 2, '-f and --tokens: one of them'],
  ['a base that is not there', () => ['-m', MODEL, '--kl-base', at('none')], 3, 'no such file'],
  ['a model as a base', () => ['-m', MODEL, '--kl-base', MODEL], 3, 'is a GGUF of type model, not a KL base'],
  ['a text as a base', () => ['-m', MODEL, '--kl-base', TEXT], 3, 'starts with "The quic"'],
  ['another text', () => ['-m', MODEL, '-f', at('b.txt'), '--kl-base', BASE], 3, 'another text'],
  ['another context', () => ['-m', MODEL, '--kl-base', BASE, '-c', '64'], 3, 'was made with a context of 32'],
  ['a text that is short', () => ['-m', MODEL, '-f', TEXT, '-c', '9000'], 3, 'tokens; one chunk needs 9000'],
  ['a stride of the context', () => ['-m', MODEL, '-f', TEXT, '--stride', '32'], 2, 'at most 31'],
  ['a folder without models', () => ['--models', ROOT, '--kl-base', TEXT], 3, 'no KL base'],
  [
    'an unknown form',
    () => ['-m', MODEL, '-f', TEXT, '--base-format', 'x'],
    2,
    'known are bitmill, llama.cpp',
  ],
  ['both bases', () => ['-m', MODEL, '--kl-base', BASE, '--save-kl-base', at('x')], 2, 'one of them'],
  ['the model as output', () => ['-m', MODEL, '-f', TEXT, '--save-kl-base', MODEL], 2, 'is the input itself'],
];

test.each(WRONG)('%s: one line and the right exit code', (_, args, code, message) => {
  const result = bitmill(['perplexity', '-c', '32', '--threads', '1', ...args()]);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toContain('    at ');
});

test('an error while a base is written leaves no file', () => {
  const text = at('tiny.txt');
  writeFileSync(text, 'short');
  expect(bitmill([...RUN, '-m', MODEL, '-f', text, '--save-kl-base', at('left.gguf')]).code).toBe(3);
  expect([existsSync(at('left.gguf')), existsSync(at('left.gguf.partial'))]).toEqual([false, false]);
});
