/**
 * Whole files of the lowest types beside llama.cpp's, made with the same importance matrix, by what they do to the model:
 * KL divergence from the original on a text that took no part in the calibration. The weighted errors of the encoder
 * suites (src/quants) judge tensor by tensor; this is the judge of what they minimize, and of fits that shrink.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';
import { DATA, llamaOracle } from './oracle.ts';

const MODEL = path.join(DATA, 'fixtures', 'a-phi3.gguf');
const IMATRIX = path.join(DATA, 'fixtures', 'a-phi3.imatrix.gguf');
const TEXT = path.join(DATA, 'text', 'wikitext-2-valid.txt');

/** Measured over 4 chunks: 0.82 to 0.89 of the divergence of llama.cpp's files. */
const TYPES = ['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'Q2_K'] as const;
const BOUND = 0.95;

const oracle = await llamaOracle();
const skip = typeof oracle === 'string' ? oracle : existsSync(MODEL) ? undefined : `no data at ${DATA}`;
if (skip) console.warn(`loss suite skipped: ${skip}`);

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-loss-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

function run(...args: readonly string[]): string {
  const { code, stdout, stderr } = bitmill([...args, '--threads', '2']);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return stdout;
}

interface Figures {
  readonly model: string;
  readonly kld_mean: number;
}

const divergence = new Map<string, number>();

beforeAll(() => {
  if (skip || typeof oracle === 'string') return;
  const quants = path.join(FOLDER, 'quants');
  const base = path.join(FOLDER, 'base');
  run('quantize', MODEL, '-o', quants, '--types', TYPES.join(','), '--imatrix', IMATRIX, '--name', 'ours');
  for (const type of TYPES) {
    oracle.quantizeFile(MODEL, path.join(quants, `theirs-${type}.gguf`), type, { imatrixFile: IMATRIX });
  }
  run('perplexity', '-m', MODEL, '-f', TEXT, '--chunks', '2', '--save-kl-base', base, '--quiet');
  const figures = run('perplexity', '--models', quants, '--kl-base', base, '--json', '--quiet');
  for (const { model, kld_mean } of JSON.parse(figures) as Figures[]) {
    divergence.set(path.basename(model, '.gguf'), kld_mean);
  }
});

test.skipIf(skip).each(TYPES)('%s moves the model less far from the original than llama.cpp does', (type) => {
  const [ours, theirs] = [divergence.get(`ours-${type}`), divergence.get(`theirs-${type}`)];
  expect((ours ?? Number.NaN) / (theirs ?? Number.NaN)).toBeLessThan(BOUND);
});
