import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bitmill } from './cli.ts';

const CHECKPOINT = fileURLToPath(new URL('fixtures/tiny-models/llama-gqa-tied', import.meta.url));
const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-bench-'));
const MODEL = path.join(FOLDER, 'tiny.gguf');

beforeAll(() => {
  const { code, stderr } = bitmill(['convert', CHECKPOINT, '-o', MODEL, '--dtype', 'f32']);
  expect(code, stderr).toBe(0);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test('bench measures prompt and generation on every backend and attention, as one JSON object', () => {
  for (const [backend, attention, threads] of [
    ['wasm', 'flash', 2],
    ['wasm', 'eager', 1],
    ['reference', 'flash', 1],
  ] as const) {
    const options = ['-p', '20', '-n', '3', '--reps', '2', '-t', String(threads), '--backend', backend];
    const result = bitmill(['bench', '-m', MODEL, ...options, '--attention', attention, '--json']);
    expect(result.code, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout);
    expect(report).toMatchObject({ model: MODEL, backend, threads, attention, cache_type: 'f16', reps: 2 });
    expect(report.prompt_tps).toBeGreaterThan(0);
    expect(report.prompt_tps_best).toBeGreaterThanOrEqual(report.prompt_tps);
    expect(report.gen_tps).toBeGreaterThan(0);
    expect(report.gen_tps_sd).toBeGreaterThanOrEqual(0);
    expect(report.bytes_per_second).toBeCloseTo(report.weight_bytes_per_token * report.gen_tps, 3);
    expect(report.peak_rss).toBeGreaterThan(2 ** 24);
  }
});

test('what is left out is null, one repetition has no deviation, and the table says the rest', () => {
  const json = bitmill(['bench', '-m', MODEL, '-p', '0', '-n', '2', '-d', '5', '--reps', '1', '--json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ prompt_tps: null, gen_tps_sd: null, depth: 5 });
  const text = bitmill(['bench', '-m', MODEL, '-p', '0', '-n', '2', '-d', '5', '--reps', '1', '-t', '1']);
  expect(text.stdout).toMatch(/llama, (wasm|native \([\w-]+\)), 1 thread, flash attention, f16 cache/);
  expect(text.stdout).toMatch(/generation of 2 after 5 +\d+\.\d\d/);
  expect(text.stdout).not.toMatch(/prompt/);
});

test('nothing to measure and numbers that are none are usage errors', () => {
  for (const [options, message] of [
    [['-p', '0', '-n', '0'], /nothing to measure/],
    [['-p', '-3'], /-p -3: 0 to 1048576 tokens are allowed/],
    [['--reps', '0'], /--reps 0: 1 to 1024 is allowed/],
  ] as const) {
    const { code, stderr } = bitmill(['bench', '-m', MODEL, ...options]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  }
});
