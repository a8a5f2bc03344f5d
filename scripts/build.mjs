/**
 * Builds bitmill: every `*.kernel.as.ts` below src into one WebAssembly module (embedded as base64 in
 * `src/kernels/module.gen.ts`, so that Node, workers, bundlers and browsers load it alike), then `tsc`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import asc from 'assemblyscript/asc';
import { glob } from './glob.mjs';

const MODULE = 'src/kernels/module.gen.ts';

/** Flags that decide the bytes of the module; part of the stamp, so that a change rebuilds it. */
const ASC_FLAGS = [
  '--enable',
  'simd',
  '--runtime',
  'stub',
  '--importMemory',
  '--initialMemory',
  '64',
  '--noAssert',
  '-O3',
  '--converge',
];

async function buildKernels() {
  const sources = glob('src', /\.as\.ts$/);
  const entries = sources.filter((file) => file.endsWith('.kernel.as.ts'));
  const hash = createHash('sha256').update(JSON.stringify([ASC_FLAGS, entries, asc.version]));
  for (const file of sources) hash.update(file).update(readFileSync(file));
  const stamp = hash.digest('hex').slice(0, 16);
  if (existsSync(MODULE) && readFileSync(MODULE, 'utf8').includes(`'${stamp}'`)) return;
  const started = Date.now();
  let binary;
  const { error, stderr } = await asc.main([...entries, '-o', 'kernels.wasm', ...ASC_FLAGS], {
    writeFile: (name, contents) => {
      if (name.endsWith('.wasm')) binary = contents;
    },
  });
  if (error || !binary) {
    process.stderr.write(stderr.toString());
    process.stderr.write(`kernels: ${error?.message ?? 'no output'}\n`);
    process.exit(1);
  }
  const base64 = Buffer.from(binary).toString('base64');
  writeFileSync(
    MODULE,
    `/** Made by scripts/build.mjs from the *.as.ts files; not kept in the repository. */\n` +
      `export const KERNELS_STAMP = '${stamp}';\nexport const KERNELS_BASE64 =\n  '${base64}';\n`,
  );
  console.error(
    `kernels: ${entries.length} files, ${binary.length} bytes of WebAssembly, ${Date.now() - started} ms`,
  );
}

function compile() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });
await buildKernels();
if (!process.argv.includes('--kernels')) compile();
