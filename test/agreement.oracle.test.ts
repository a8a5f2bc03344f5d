/**
 * A real model's logits beside llama.cpp's (bench/agreement.mjs, which has a table of every file type): SmolLM2-135M,
 * widened, on a chunk of WikiText-2. F16 is multiplied there with activations rounded to 11 bits. Q8_0 is multiplied with
 * activations rounded to 8 bits, which alone costs a divergence of 0.003, so that file is compared on exact weights.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { llamaOracle } from './oracle.ts';

const SCRIPT = fileURLToPath(new URL('../bench/agreement.mjs', import.meta.url));
const CACHE = process.env['BITMILL_TEST_CACHE'] ?? path.join(os.homedir(), '.cache', 'bitmill');
const MODEL = path.join(CACHE, 'smollm2.gguf');
const oracle = await llamaOracle();
const skip = typeof oracle === 'string' ? oracle : existsSync(MODEL) ? undefined : `no model at ${MODEL}`;
if (skip) console.warn(`SmolLM2 agreement suite skipped: ${skip}`);

const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-agreement-'));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

interface Row {
  readonly type: string;
  /** Perplexity, ours / theirs. */
  readonly ratio: number;
  /** Divergence of our predictions from theirs, nats. */
  readonly kld_mean: number;
}

test.skipIf(skip).each([
  { type: 'F32', options: [] },
  { type: 'F16', options: [] },
  { type: 'Q8_0', options: ['--exact'] },
])('$type: perplexity within 0.2 per cent, mean divergence below 1e-4', ({ type, options }) => {
  const args = ['--json', '--types', type, '--chunks', '1', '--threads', '1', '--folder', FOLDER, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, ...args], { encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const [row] = JSON.parse(stdout) as Row[];
  expect(row.type).toBe(type);
  expect(Math.abs(row.ratio - 1)).toBeLessThan(2e-3);
  expect(row.kld_mean).toBeLessThan(1e-4);
});
