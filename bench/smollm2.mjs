/**
 * A real small model in every file type, for benchmarks: SmolLM2-135M (its cached Q4_1 file, dequantized to F32) with rows
 * widened to whole blocks of 256 (scripts/widen.mjs), its importance matrix, and its quants. All by bitmill itself.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeImportanceMatrix } from '../dist/imatrix/index.js';
import { openGguf, writeAtomically } from '../dist/platform/index.js';
import { widen } from '../scripts/widen.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CACHE = process.env.BITMILL_TEST_CACHE ?? path.join(os.homedir(), '.cache', 'bitmill');
const SOURCE = path.join(CACHE, 'smollm2.gguf');
const DATA = process.env.BITMILL_DATA ?? path.join(ROOT, '..', 'shared', 'data');

export const CALIBRATION = path.join(DATA, 'calibration', 'groups_merged.txt');
export const HELD_OUT = path.join(DATA, 'text', 'wikitext-2-valid.txt');

/** Runs bitmill; its messages go to stderr. @returns stdout. */
export function bitmill(args) {
  const { status, stdout } = spawnSync(process.execPath, [path.join(ROOT, 'bin', 'bitmill.mjs'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`bitmill ${args.join(' ')}: exit code ${status}`);
  return stdout;
}

/** @param layout `llama` or `phi3`. @returns the F32 file, made where it is missing. */
export async function widenedModel(folder, layout = 'llama') {
  if (!existsSync(SOURCE)) throw new Error(`no model at ${SOURCE}: npm run fetch-models`);
  const file = path.join(folder, 'smollm2w-F32.gguf');
  if (!existsSync(file)) await widen(SOURCE, file, { layout, dtype: 'F32' });
  return file;
}

/** Our importance matrix over the calibration text. */
export function ownImatrix(model, file, chunks) {
  if (!existsSync(file))
    bitmill(['imatrix', '-m', model, '-f', CALIBRATION, '--chunks', `${chunks}`, '-o', file, '-q']);
  return file;
}

/** Equal importance for every column: what types need that refuse to do without, and no better than none. */
export async function flatImatrix(model, file) {
  const source = await openGguf(model);
  const matrices = source.tensors.filter(
    ({ name, shape }) => /^blk\..*weight$/.test(name) && shape.length === 2,
  );
  const entries = new Map(
    matrices.map(({ name, shape }) => [
      name,
      { sums: new Float32Array(shape[0]).fill(1), counts: Float32Array.of(1) },
    ]),
  );
  await source.close();
  const matrix = { name: file, form: 'gguf', entries, datasets: ['flat'], chunkCount: 1, chunkSize: 1 };
  await writeAtomically(file, (sink) => sink.write(0, writeImportanceMatrix(matrix, 'gguf')));
  return file;
}

/**
 * Those types of a model; F16 and BF16 are conversions, F32 is the model itself.
 * @param imatrix a file; undefined where no type wants one.
 * @returns the files by type, in the order of the list.
 */
export function filesOf(model, folder, types, imatrix) {
  const quants = types.filter((type) => !/^B?F(16|32)$/.test(type));
  const made = quants.length === 0 ? [] : quantized(model, folder, quants, imatrix);
  const plain = types
    .filter((type) => !quants.includes(type))
    .map((type) => [type, type === 'F32' ? model : converted(model, folder, type)]);
  const files = new Map([...plain, ...made]);
  return new Map(types.map((type) => [type, files.get(type)]));
}

function quantized(model, folder, types, imatrix) {
  const args = ['quantize', model, '-o', folder, '--types', types.join(','), '--json'];
  if (imatrix !== undefined) args.push('--imatrix', imatrix);
  return JSON.parse(bitmill(args)).types.map(({ type, files: [{ name }] }) => [
    type,
    path.join(folder, name),
  ]);
}

function converted(model, folder, type) {
  const file = path.join(folder, `smollm2w-${type}.gguf`);
  if (!existsSync(file)) bitmill(['dequantize', model, '-o', file, '--dtype', type.toLowerCase()]);
  return file;
}
