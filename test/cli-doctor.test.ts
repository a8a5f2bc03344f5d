/** `bitmill doctor`, and the choice of a backend on the command line: by name, by level, and where it must fall back. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LEVEL_NAMES } from '../src/backends/index.ts';
import { bitmill } from './cli.ts';

const CHECKPOINT = fileURLToPath(new URL('fixtures/tiny-models/llama-gqa-tied', import.meta.url));
const FOLDER = mkdtempSync(path.join(os.tmpdir(), 'bitmill-doctor-'));
const MODEL = path.join(FOLDER, 'tiny.gguf');
const FORBIDDEN = { BITMILL_NO_NATIVE: '1' };
const REASON = 'BITMILL_NO_NATIVE forbids machine code';

beforeAll(() => {
  const { code, stderr } = bitmill(['convert', CHECKPOINT, '-o', MODEL, '--dtype', 'f32']);
  expect(code, stderr).toBe(0);
});
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

const bench = (options: readonly string[], env = {}) =>
  bitmill(['bench', '-m', MODEL, '-p', '4', '-n', '1', '--reps', '1', '-t', '1', ...options], env);

test('doctor tells the machine, every level with its reason, and the choice, as one JSON object', () => {
  const { code, stdout, stderr } = bitmill(['doctor', '--json']);
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ page_size: 4096, default_backend: expect.any(String), gpu: null });
  expect(report.cores).toBeGreaterThanOrEqual(1);
  expect(report.memory.total).toBeGreaterThan(report.memory.available);
  expect(report.levels.map(({ name }: { name: string }) => name)).toEqual(LEVEL_NAMES);
  for (const { why } of report.levels) expect(why).not.toBe('');
  expect(['native', 'wasm']).toContain(report.auto.backend);
  if (report.features?.avx2) {
    expect(report.measured.bytes_per_second.one).toBeGreaterThan(0);
    expect(report.measured.operations_per_second.f32.all).toBeGreaterThan(0);
  } else {
    expect(report.not_measured).toEqual(expect.any(String));
  }
});

test('doctor says the same in lines, and without measuring where it is told to', () => {
  const { code, stdout, stderr } = bitmill(['doctor', '--no-measure']);
  expect(code, stderr).toBe(0);
  for (const label of ['processor', 'features', 'memory', 'pages', 'koffi', 'GPU', 'level', 'backend'])
    expect(stdout).toMatch(new RegExp(`^${label} `, 'm'));
  expect(stdout).not.toContain('GB/s');
});

test('where machine code is forbidden doctor says so, and its help says how to forbid it', () => {
  const { code, stdout } = bitmill(['doctor', '--json'], FORBIDDEN);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ features: null, measured: null, not_measured: REASON },
    auto: { backend: 'wasm', level: null, why: REASON },
  });
  expect(bitmill(['doctor', '--help']).stdout).toContain('BITMILL_NO_NATIVE=1 forbids');
});

test('auto falls back with one line on stderr and none on stdout; wasm by name is silent', () => {
  const auto = bench(['--backend', 'auto', '--json'], FORBIDDEN);
  expect(auto.code, auto.stderr).toBe(0);
  expect(auto.stderr).toBe(`WebAssembly computes, not native code: ${REASON}\n`);
  expect(JSON.parse(auto.stdout)).toMatchObject({ backend: 'wasm', level: null });
  expect(bench(['--backend', 'wasm'], FORBIDDEN)).toMatchObject({ code: 0, stderr: '' });
});

test('a fallback is told once, however many backends a command opens', () => {
  const base = path.join(FOLDER, 'base.gguf');
  const text = path.join(FOLDER, 'ids.txt');
  const ids = Array.from({ length: 64 }, (_, i) => 3 + ((37 * i) % 250)).join(' ');
  writeFileSync(text, ids);
  const run = bitmill(
    [
      ...['perplexity', '-m', MODEL, '--models', FOLDER, '--tokens', text, '-c', '16', '-q'],
      ...['--backend', 'auto', '--save-kl-base', base, '--json'],
    ],
    FORBIDDEN,
  );
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toBe(`WebAssembly computes, not native code: ${REASON}\n`);
  expect(JSON.parse(run.stdout)[0]).toMatchObject({ backend: 'wasm', level: null });
});

test('native by name where it is forbidden, and levels that are none or belong to another backend, are errors', () => {
  const native = bench(['--backend', 'native'], FORBIDDEN);
  expect(native.code).toBe(5);
  expect(native.stderr).toContain(`the native backend does not run here: ${REASON}`);
  const unknown = bench(['--backend', 'native', '--level', 'sse2'], FORBIDDEN);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain(`--level sse2: known are ${LEVEL_NAMES.join(', ')}`);
  const other = bench(['--backend', 'wasm', '--level', 'avx2']);
  expect(other.code).toBe(2);
  expect(other.stderr).toContain('the backend wasm has no levels');
});
