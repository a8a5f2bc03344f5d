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

/** Where it is kept what the page was made of. */
const PAGE_STAMP = 'dist/.web.json';

/** A hash over the page's own files and those that it took from elsewhere in the repository. */
function pageHash(outside) {
  const own = glob('apps/web', /\.(tsx?|css|html|svg|json)$/).filter((file) => !/\.test\.tsx?$/.test(file));
  const hash = createHash('sha256');
  for (const file of [...own, ...outside, 'package-lock.json']) {
    hash.update(file).update(existsSync(file) ? readFileSync(file) : '');
  }
  return hash.digest('hex');
}

async function buildPage() {
  const last = existsSync(PAGE_STAMP) ? JSON.parse(readFileSync(PAGE_STAMP, 'utf8')) : { outside: [] };
  if (existsSync('dist/web/index.html') && last.hash === pageHash(last.outside)) return;
  const started = Date.now();
  const { build } = await import('vite');
  const { output } = await build({ configFile: 'apps/web/vite.config.ts', logLevel: 'warn' });
  const outside = output
    .flatMap(({ moduleIds = [] }) => moduleIds)
    .map((id) => path.relative('.', id.replace(/\?.*$/, '')).replaceAll('\\', '/'))
    .filter((file) => existsSync(file) && !/^(apps\/web\/|\.\.|node_modules\/)/.test(file));
  writeFileSync(PAGE_STAMP, JSON.stringify({ hash: pageHash(outside), outside }));
  console.error(`web: ${output.length} files, ${Date.now() - started} ms`);
}

if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true });
await writeGrids();
for (const module of MODULES) await buildModule(module);
if (!process.argv.includes('--kernels')) {
  compile();
  await buildPage();
}
