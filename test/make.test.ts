/** `bitmill make` as a user runs it: the set, what a change repeats, limits of losses, and what is wrong told in one line. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { QUANT_SET, type QuantSet } from '../src/report/index.ts';
import { bitmill } from './cli.ts';
import { publishedFiles, writeMakeCheckpoint } from './make-checkpoint.ts';

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-make-'));
const at = (name: string): string => path.join(ROOT, name);
const [CHECKPOINT, SET] = [at('tiny'), at('set')];
afterAll(() => rmSync(ROOT, { recursive: true }));

const RUN = ['-c', '32', '--threads', '1'];

/** Runs and demands success. @returns what each step said: `unchanged`, or `done`. */
function make(types: string, ...args: readonly string[]): Record<string, string> {
  const { code, stderr } = bitmill(['make', CHECKPOINT, '-o', SET, '--types', types, ...RUN, ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error:') as string });
  return stepsOf(stderr);
}

function stepsOf(stderr: string): Record<string, string> {
  const lines = [...stderr.matchAll(/^(\w[\w ]*?) {2}(unchanged|[\d.]+ s)/gm)];
  return Object.fromEntries(lines.map(([, step, how]) => [step, how === 'unchanged' ? how : 'done']));
}

/** The steps that did something. */
const done = (steps: Record<string, string>): string[] =>
  Object.keys(steps).filter((step) => step !== 'inputs' && steps[step] === 'done');

const readSet = (): QuantSet =>
  QUANT_SET.parse(JSON.parse(readFileSync(path.join(SET, 'bitmill.json'), 'utf8')));

/** The level is named where the backend has any. */
const levelOf = ({ computed }: QuantSet) =>
  computed?.backend === 'native' ? { level: expect.any(String) as string } : {};

const ALL = [
  'convert',
  'imatrix',
  'quantize',
  'measure original',
  'measure Q4_0',
  'measure Q8_0',
  'errors',
  'card',
];

beforeAll(() => {
  writeMakeCheckpoint(CHECKPOINT);
  expect(done(make('Q4_0,Q8_0'))).toEqual(ALL);
});

test('the set: original, matrix, quants, manifest, card; every figure and error is in bitmill.json', () => {
  const files = [...publishedFiles(SET).keys()].filter((name) => !name.startsWith('images/'));
  expect(files).toEqual([
    'README.md',
    'bitmill.json',
    'manifest.json',
    'tiny-BF16.gguf',
    'tiny-Q4_0.gguf',
    'tiny-Q8_0.gguf',
    'tiny.imatrix.gguf',
  ]);
  const { model, quants, evaluation, inputs, imatrix } = readSet();
  expect(model).toMatchObject({ source: 'tiny', architecture: 'phi3', parameters: 31904, dtype: 'bf16' });
  expect(model.chatExample).toContain('<|user|>Hello! Who are you?<|endoftext|>');
  expect(inputs.map(({ role, name }) => `${role} ${name}`)).toEqual([
    'checkpoint config.json',
    'checkpoint model.safetensors',
    'checkpoint tokenizer.json',
    'checkpoint tokenizer_config.json',
    'calibration calibration.txt',
    'evaluation evaluation.txt',
    'exam exam.jsonl',
  ]);
  expect(imatrix).toMatchObject({ contextSize: 32, parseSpecial: true });
  expect(evaluation).toMatchObject({ text: 'evaluation.txt', contextSize: 32, exam: { total: 6 } });
  expect(quants.map(({ type }) => type)).toEqual(['Q4_0', 'Q8_0']);
  for (const { figures, exam, errors } of quants) {
    expect(figures?.['kld_mean']).toBeGreaterThan(0);
    expect(exam).toMatchObject({ total: 6, categories: { even: { total: 3 }, odd: { total: 3 } } });
    expect(errors?.['blk.0.ffn_up.weight']?.error).toBeGreaterThan(0);
  }
  const [small, large] = quants.map(({ figures }) => Number(figures?.['kld_mean']));
  expect(small / large).toBeGreaterThan(10);
});

test('its command lines, run one by one, make the same files', () => {
  const folder = at('steps');
  mkdirSync(folder);
  copyFileSync(path.join(CHECKPOINT, 'calibration.txt'), path.join(folder, 'calibration.txt'));
  copyFileSync(path.join(CHECKPOINT, 'evaluation.txt'), path.join(folder, 'evaluation.txt'));
  const { commands, quants } = readSet();
  expect(commands.map((line) => line.split(' ', 2).join(' '))).toEqual([
    'bitmill convert',
    'bitmill imatrix',
    'bitmill quantize',
    'bitmill perplexity',
    'bitmill perplexity',
  ]);
  const before = process.cwd();
  let figures: { kld_mean: number; model: string }[] = [];
  try {
    process.chdir(folder);
    for (const line of commands) {
      const words = line.split(' ').slice(1);
      const place = words.map((word) => (word === 'tiny' ? CHECKPOINT : word));
      const { code, stdout } = bitmill([...place, ...(words[0] === 'perplexity' ? ['--json'] : [])]);
      expect(code, line).toBe(0);
      if (line.includes('--models')) figures = JSON.parse(stdout) as typeof figures;
    }
  } finally {
    process.chdir(before);
  }
  for (const name of readdirSync(SET).filter((one) => one.endsWith('.gguf'))) {
    expect(readFileSync(path.join(folder, name)).equals(readFileSync(path.join(SET, name))), name).toBe(true);
  }
  for (const { files, figures: own } of quants) {
    const other = figures.find(({ model }) => model.endsWith(files[0].name));
    expect(other?.kld_mean, files[0].name).toBe(own?.['kld_mean']);
  }
});

test('what a change repeats, and nothing else', () => {
  const published = publishedFiles(SET);
  expect(done(make('Q4_0,Q8_0'))).toEqual([]);
  utimesSync(path.join(CHECKPOINT, 'model.safetensors'), 1e9, 1e9);
  utimesSync(path.join(CHECKPOINT, 'config.json'), 1e9, 1e9);
  expect(done(make('Q4_0,Q8_0')), 'a touched checkpoint').toEqual([]);
  rmSync(path.join(SET, 'tiny-Q8_0.gguf'));
  expect(done(make('Q4_0,Q8_0')), 'a quant that was deleted').toEqual(['quantize']);
  const broken = path.join(SET, 'tiny-Q4_0.gguf');
  const bytes = readFileSync(broken);
  bytes[20_000] ^= 1;
  writeFileSync(broken, bytes);
  expect(done(make('Q4_0,Q8_0')), 'a flipped byte').toEqual(['quantize']);
  expect(publishedFiles(SET)).toEqual(published);
  expect(done(make('Q4_0,Q5_0,Q8_0')), 'one type more').toEqual([
    'quantize',
    'measure Q5_0',
    'errors',
    'card',
  ]);
  appendFileSync(path.join(CHECKPOINT, 'exam.jsonl'), '{"category":"odd","question":"A?","answer":"B"}\n');
  const measures = ['measure original', 'measure Q4_0', 'measure Q8_0'];
  expect(done(make('Q4_0,Q8_0')), 'another exam').toEqual([...measures, 'card']);
  const kept = readSet().evaluation?.figures;
  writeFileSync(path.join(CHECKPOINT, 'evaluation.txt'), 'Alpha beta gamma delta epsilon.\n'.repeat(20));
  expect(done(make('Q4_0,Q8_0')), 'another evaluation text').toEqual([...measures, 'card']);
  expect(readSet().evaluation?.figures).not.toEqual(kept);
  writeFileSync(path.join(CHECKPOINT, 'calibration.txt'), 'Alpha beta gamma delta epsilon.\n'.repeat(20));
  const steps = done(make('Q4_0,Q8_0'));
  // Q8_0 does not look at the importance: only its metadata says of which text it is.
  expect(steps, 'another calibration text').toEqual([
    'imatrix',
    'quantize',
    'measure Q4_0',
    'measure Q8_0',
    'errors',
    'card',
  ]);
  expect(readSet().computed).toEqual({
    backend: expect.stringMatching(/^(native|wasm)$/),
    ...levelOf(readSet()),
  });
  // Other machine code gives other last digits: everything that is computed is computed anew.
  const anew = done(make('Q4_0,Q8_0', '--backend', 'reference'));
  expect(anew, 'another backend').toEqual(expect.arrayContaining(['imatrix', ...measures]));
  const set = readSet();
  expect(set.computed).toEqual({ backend: 'reference' });
  const computing = set.commands.filter((line) => /^bitmill (imatrix|perplexity) /.test(line));
  expect(computing).toHaveLength(3);
  for (const line of computing) expect(line).toMatch(/ --backend reference$/);
}, 600_000);

test('a GGUF is used where it is; --max-kld is checked at the end, --json prints the set', () => {
  const model = at('other-bf16.gguf');
  copyFileSync(path.join(SET, 'tiny-BF16.gguf'), model);
  const texts = ['--calibration', path.join(CHECKPOINT, 'calibration.txt')];
  const evaluation = ['--eval-text', path.join(CHECKPOINT, 'evaluation.txt')];
  const limits = ['--max-kld', '1', '--max-kld', 'q4_0=1e-9'];
  const args = [...texts, ...evaluation, ...limits, '--types', 'Q4_0,Q8_0', '--json', '-q', ...RUN];
  const { code, stdout, stderr } = bitmill(['make', model, '-o', at('of-gguf'), ...args]);
  expect(code).toBe(6);
  expect(stderr).toMatch(/loss: other-Q4_0\.gguf: mean KL divergence [\d.e-]+, allowed 1e-9\n/);
  expect(stderr).toContain('1 of 2 files lost more than --max-kld allows');
  const set = QUANT_SET.parse(JSON.parse(stdout));
  expect(set.model).toMatchObject({ source: 'other-bf16.gguf', files: [{ name: 'other-bf16.gguf' }] });
  expect(set.commands[0]).toMatch(/^bitmill imatrix -m other-bf16\.gguf -f calibration\.txt -c 32 -o /);
  expect(set.evaluation).toMatchObject({ parseSpecial: false });
  expect(readdirSync(at('of-gguf')).filter((name) => name.endsWith('.gguf'))).toEqual([
    'other-Q4_0.gguf',
    'other-Q8_0.gguf',
    'other.imatrix.gguf',
  ]);
});

const BARE = at('bare');

/** Arguments after the command, exit code, and what the line says. */
const WRONG: readonly (readonly [string, () => readonly string[], number, string])[] = [
  ['no calibration text', () => [BARE, '-o', at('x')], 2, 'no calibration text'],
  [
    'no evaluation text',
    () => [BARE, '-o', at('x'), '--calibration', path.join(CHECKPOINT, 'calibration.txt')],
    2,
    'no evaluation text',
  ],
  ['an unknown type', () => [CHECKPOINT, '-o', at('x'), '--types', 'Q9'], 2, 'unknown file type "Q9"'],
  [
    'a limit of a type that is not made',
    () => [CHECKPOINT, '-o', at('x'), '--types', 'Q8_0', '--max-kld', 'Q4_0=1'],
    2,
    'Q4_0 is not made here',
  ],
  ['a limit that is no number', () => [CHECKPOINT, '-o', at('x'), '--max-kld', 'much'], 2, 'is no number'],
  [
    'limits and no measures',
    () => [CHECKPOINT, '-o', at('x'), '--max-kld', '1', '--no-eval'],
    2,
    'nothing is measured to compare',
  ],
  ["the checkpoint's own folder", () => [CHECKPOINT, '-o', CHECKPOINT], 2, "is the checkpoint's own folder"],
  ['a folder without a checkpoint', () => [ROOT, '-o', at('x')], 3, 'config.json'],
  ['a quantized GGUF', () => [path.join(SET, 'tiny-Q4_0.gguf'), '-o', at('x')], 3, 'is quantized already'],
  ['a folder in use', () => [CHECKPOINT, '-o', at('locked')], 1, 'another run is writing here'],
];

test.each(WRONG)('%s: one line and the right exit code', (_, args, code, message) => {
  mkdirSync(BARE, { recursive: true });
  for (const name of readdirSync(CHECKPOINT).filter((one) => !/^(calib|eval|exam)/.test(one))) {
    copyFileSync(path.join(CHECKPOINT, name), path.join(BARE, name));
  }
  mkdirSync(at('locked'), { recursive: true });
  writeFileSync(path.join(at('locked'), '.bitmill.lock'), `${process.pid} ${os.hostname()}\n`);
  const result = bitmill(['make', ...RUN, ...args()]);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toContain('    at ');
});
