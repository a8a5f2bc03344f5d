/**
 * Builds bitmill: WebAssembly modules from AssemblyScript, embedded as base64 so that Node, workers, bundlers and
 * browsers load them alike, then `tsc`. Encoders (`*.kernel.as.ts`) have a memory of their own in each thread; the
 * engine's kernels (`*.engine.as.ts`) share one memory among all threads. The relaxed engine is the same with a few
 * kernels more (`*.relaxed.as.ts`), for machines that have relaxed SIMD. Last comes the web chat (`apps/web`), bundled
 * by Vite into `dist/web`.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import asc from 'assemblyscript/asc';
import { glob } from './glob.mjs';
import { writeGrids } from './grids.mjs';

/** Flags of all modules. All flags are part of the stamp, so that a change rebuilds. */
const FLAGS = ['--enable', 'simd', '--runtime', 'stub', '--importMemory', '--initialMemory', '64'];
const OPTIMIZE = ['--noAssert', '-O3', '--converge'];

/** Of the engine. Format kernels are put into the table by TypeScript and called by slot. */
const SHARED = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536', '--importTable'];

const MODULES = [
  { name: 'kernels', suffixes: ['.kernel.as.ts'], out: 'src/kernels/module.gen.ts', flags: [] },
  { name: 'engine', suffixes: ['.engine.as.ts'], out: 'src/backends/wasm/module.gen.ts', flags: SHARED },
  {
    name: 'relaxed',
    suffixes: ['.engine.as.ts', '.relaxed.as.ts'],
    out: 'src/backends/wasm/relaxed.gen.ts',
    flags: [...SHARED, '--enable', 'relaxed-simd'],
  },
];

/** The files that entries import, their own included: what a module is made of. */
function reachedFrom(entries) {
  const reached = new Set(entries);
  // A set yields what is added while it is walked.
  for (const file of reached) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/from\s+'(\.[^']+)'/g)) {
      reached.add(`${path.posix.join(path.posix.dirname(file), target)}.ts`);
    }
  }
  return [...reached].sort();
}

async function buildModule({ name, suffixes, out, flags }) {
  const entries = glob('src', /\.as\.ts$/).filter((file) => suffixes.some((suffix) => file.endsWith(suffix)));
  if (entries.length === 0) return;
  const options = [...FLAGS, ...flags, ...OPTIMIZE];
  const hash = createHash('sha256').update(JSON.stringify([options, entries, asc.version]));
  for (const file of reachedFrom(entries)) hash.update(file).update(readFileSync(file));
  const stamp = hash.digest('hex').slice(0, 16);
  if (existsSync(out) && readFileSync(out, 'utf8').includes(`'${stamp}'`)) return;
  const started = Date.now();
  let binary;
  const { error, stderr } = await asc.main([...entries, '-o', `${name}.wasm`, ...options], {
    writeFile: (file, contents) => {
      if (file.endsWith('.wasm')) binary = contents;
    },
  });
  if (error || !binary) {
    process.stderr.write(stderr.toString());
    process.stderr.write(`${name}: ${error?.message ?? 'no output'}\n`);
    process.exit(1);
  }
  const base64 = Buffer.from(binary).toString('base64');
  const constant = name.toUpperCase();
  writeFileSync(
    out,
    `/** Made by scripts/build.mjs from the *.as.ts files; not kept in the repository. */\n` +
      `export const ${constant}_STAMP = '${stamp}';\nexport const ${constant}_BASE64 =\n  '${base64}';\n`,
  );
  console.error(
    `${name}: ${entries.length} files, ${binary.length} bytes of WebAssembly, ${Date.now() - started} ms`,
  );
}

function compile() {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

/** Where the hash of what the page was made of is kept. */
const PAGE_STAMP = 'dist/.web-stamp';

/** Imports, dynamic ones and those of workers (`./worker.ts?worker&url`) included. */
const PAGE_IMPORT = /(?:from|import)\s*\(?\s*'(\.[^'?]+)(?:\?[^']*)?'/g;

/** The page's own files and those of the library that they reach. */
function pageFiles() {
  const own = glob('apps/web', /\.(tsx?|css|html|svg|json)$/);
  const files = new Set(own.filter((file) => !/\.test\.tsx?$|^apps\/web\/src\/testing\//.test(file)));
  // A set yields what is added while it is walked.
  for (const file of files) {
    if (!/\.tsx?$/.test(file)) continue;
    for (const [, target] of readFileSync(file, 'utf8').matchAll(PAGE_IMPORT)) {
      const reached = path.posix.join(path.posix.dirname(file), target);
      if (existsSync(reached)) files.add(reached);
    }
  }
  return [...files, 'package-lock.json'].sort();
}

async function buildPage() {
  const hash = createHash('sha256');
  for (const file of pageFiles()) hash.update(file).update(readFileSync(file));
  const stamp = hash.digest('hex');
  const last = existsSync(PAGE_STAMP) ? readFileSync(PAGE_STAMP, 'utf8') : '';
  if (existsSync('dist/web/index.html') && last === stamp) return;
  const started = Date.now();
  const { build } = await import('vite');
  const { output } = await build({ configFile: 'apps/web/vite.config.ts', logLevel: 'warn' });
  writeFileSync(PAGE_STAMP, stamp);
  console.error(`web: ${output.length} files, ${Date.now() - started} ms`);
}

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });
await writeGrids();
for (const module of MODULES) await buildModule(module);
if (!process.argv.includes('--kernels')) {
  compile();
  await buildPage();
}
