/**
 * Importance beside llama.cpp's, on the same model and text: its files are matched, and its quantizer takes ours.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ImportanceMatrix, meanImportance, readImportanceMatrix } from '../src/imatrix/index.ts';
import { openFile, openGguf } from '../src/platform/index.ts';
import { bitmill } from './cli.ts';
import { DATA, llamaOracle } from './oracle.ts';

const TEXT = path.join(DATA, 'calibration', 'groups_merged.txt');
const FIXTURES = path.join(DATA, 'fixtures');
const skip = existsSync(TEXT) ? undefined : `no data at ${DATA}`;
if (skip) console.warn(`imatrix suite skipped: ${skip}`);
const oracle = await llamaOracle();
if (typeof oracle === 'string') console.warn(`imatrix quantizer test skipped: ${oracle}`);

const ROOT = mkdtempSync(path.join(os.tmpdir(), 'bitmill-imatrix-'));
afterAll(() => rmSync(ROOT, { recursive: true }));

/** llama.cpp rounds activations to f16 before it multiplies them with f16 weights; we do not. */
const MEDIAN_TOLERANCE = 1e-3;
const P99_TOLERANCE = 1e-2;

const MODELS = ['a-phi3', 'b-llama'] as const;

async function read(file: string): Promise<ImportanceMatrix> {
  const source = await openFile(file);
  try {
    return await readImportanceMatrix(source);
  } finally {
    await source.close();
  }
}

/** Our importance matrix of a fixture, made as llama.cpp's was: 8 chunks of 512 tokens. */
function make(model: string, output: string, ...more: readonly string[]): string {
  const file = path.join(ROOT, output);
  const from = ['-m', path.join(FIXTURES, `${model}.gguf`), '-f', TEXT, '-c', '512', '--chunks', '8'];
  const { code, stderr } = bitmill(['imatrix', ...from, '-o', file, ...more]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return file;
}

/** Relative differences of all columns' mean squares, ascending. */
function differences(ours: ImportanceMatrix, theirs: ImportanceMatrix): number[] {
  expect([...ours.entries.keys()].sort()).toEqual([...theirs.entries.keys()].sort());
  return [...theirs.entries]
    .flatMap(([name, entry]) => {
      const own = ours.entries.get(name);
      expect(own?.counts).toEqual(entry.counts);
      const found = own ? meanImportance(own) : new Float32Array();
      return Array.from(meanImportance(entry), (value, i) => Math.abs(found[i] - value) / value);
    })
    .sort((a, b) => a - b);
}

describe.skipIf(skip)('importance matrices of the fixtures', () => {
  test.each(MODELS)("%s: every column within llama.cpp's rounding", async (model) => {
    const ours = await read(make(model, `${model}.gguf`));
    const theirs = await read(path.join(FIXTURES, `${model}.imatrix.gguf`));
    const { datasets, chunkCount, chunkSize } = theirs;
    expect(ours).toMatchObject({ datasets, chunkCount, chunkSize });
    const sorted = differences(ours, theirs);
    expect(sorted[Math.floor(0.5 * sorted.length)]).toBeLessThan(MEDIAN_TOLERANCE);
    expect(sorted[Math.floor(0.99 * sorted.length)]).toBeLessThan(P99_TOLERANCE);
  });

  test('the reference backend finds the same as wasm, within f32 rounding', async () => {
    const chunks = ['--chunks', '1'];
    const [wasm, reference] = [
      await read(make('a-phi3', 'wasm.gguf', ...chunks)),
      await read(make('a-phi3', 'reference.gguf', ...chunks, '--backend', 'reference')),
    ];
    expect(differences(wasm, reference).at(-1)).toBeLessThan(1e-4);
  });

  test.skipIf(typeof oracle === 'string')(
    "llama.cpp's quantizer takes our files and quantizes as with its own",
    async () => {
      if (typeof oracle === 'string') return;
      const model = path.join(FIXTURES, 'a-phi3.gguf');
      const quantize = (imatrix: string, name: string): string => {
        const file = path.join(ROOT, name);
        oracle.quantizeFile(model, file, 'IQ2_XS', { imatrixFile: imatrix });
        return file;
      };
      const ours = make('a-phi3', 'a-phi3.own.gguf');
      const dat = path.join(ROOT, 'a-phi3.own.dat');
      expect(bitmill(['imatrix', '--from', ours, '-o', dat]).code).toBe(0);
      expect(oracle.readImatrix(ours).size).toBe(16);
      const files = [
        quantize(path.join(FIXTURES, 'a-phi3.imatrix.gguf'), 'theirs-q.gguf'),
        quantize(ours, 'ours-q.gguf'),
        quantize(dat, 'dat-q.gguf'),
      ];
      const [theirs, own, viaDat] = await Promise.all(files.map((file) => openGguf(file)));
      const formats = (file: typeof own) => file.tensors.map(({ name, format }) => [name, format.name]);
      expect(formats(own)).toEqual(formats(theirs));
      expect(formats(viaDat)).toEqual(formats(theirs));
      // The same weights by nearly the same importance: most bytes of the largest tensor are equal.
      const tensor = 'blk.0.ffn_up.weight';
      const bytes = async (file: typeof own) =>
        file.read(file.tensors.find(({ name }) => name === tensor) ?? file.tensors[0]);
      const [a, b] = [await bytes(theirs), await bytes(own)];
      expect(a.filter((byte, i) => byte === b[i]).length / a.length).toBeGreaterThan(0.95);
      for (const file of [theirs, own, viaDat]) await file.close();
    },
  );

  test('our own quantizer takes them, too', () => {
    const folder = path.join(ROOT, 'q');
    const args = [
      'quantize',
      path.join(FIXTURES, 'a-phi3.gguf'),
      '-o',
      folder,
      '--types',
      'IQ2_XS',
      '--json',
    ];
    const { code, stdout } = bitmill([...args, '--imatrix', make('a-phi3', 'q.gguf')]);
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { types: object[] }).types).toHaveLength(1);
    expect(readFileSync(path.join(folder, 'a-phi3-IQ2_XS.gguf')).length).toBeGreaterThan(1e6);
  });
});
