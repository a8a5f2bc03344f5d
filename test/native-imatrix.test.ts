/**
 * The importance matrix by machine code: the mean squares of the columns of a bf16 model beside those of the reference
 * backend, which adds in plain TypeScript, and the same bytes for any number of threads.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ImportanceMatrix, readImportanceMatrix } from '../src/imatrix/index.ts';
import { nativeSupport, openFile } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-native-imatrix-'));
const at = (name: string): string => path.join(ROOT, name);
afterAll(() => rmSync(ROOT, { recursive: true }));

const support = await nativeSupport();
if ('reason' in support)
  console.log(`skipped: the importance matrix by machine code, because ${support.reason}`);

const TEXT = path.join(import.meta.dirname, '..', 'ARCHITECTURE.md');

function collect(name: string, ...options: readonly string[]): void {
  const run = ['imatrix', '-m', 'phi3-tiny:BF16', '-f', TEXT, '-c', '128', '--chunks', '2', '--no-ppl'];
  const { code, stderr } = bitmill([...run, '-o', at(name), ...options]);
  expect(code, stderr).toBe(0);
}

async function read(name: string): Promise<ImportanceMatrix> {
  const source = await openFile(at(name));
  try {
    return await readImportanceMatrix(source);
  } finally {
    await source.close();
  }
}

describe.skipIf('reason' in support)('a bf16 model', () => {
  test('mean squares of every column are within 1e-4 of f32 arithmetic', async () => {
    collect('native.gguf', '--backend', 'native', '-t', '2');
    collect('reference.gguf', '--backend', 'reference');
    const [native, reference] = [await read('native.gguf'), await read('reference.gguf')];
    expect(native.entries.size).toBe(32);
    for (const [name, { sums }] of reference.entries) {
      const ours = native.entries.get(name)?.sums ?? new Float32Array();
      const worst = sums.reduce(
        (most, value, i) => Math.max(most, value > 0 ? Math.abs(ours[i] / value - 1) : 0),
        0,
      );
      expect(worst, name).toBeLessThan(1e-4);
    }
  });

  test('one thread and three give the same bytes', () => {
    collect('one.gguf', '--backend', 'native', '-t', '1');
    collect('three.gguf', '--backend', 'native', '-t', '3');
    expect(readFileSync(at('one.gguf')).equals(readFileSync(at('three.gguf')))).toBe(true);
  });
});
