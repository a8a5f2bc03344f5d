/**
 * Importance matrix within a memory budget: time, peak resident memory, and whether every budget gives the same bytes.
 *
 *   node bench/imatrix.mjs MODEL.gguf [--chunks 100] [--ctx 512] [--memory 4GiB,2GiB] [--threads 2]
 *
 * The text is seeded random token ids, so models without a tokenizer (bench/make-synthetic.mjs) will do. A budget of
 * `none` leaves the choice to the engine: a model that fits stays in memory whole. Files go to a temporary folder.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { run } from './child.mjs';
import { uniform } from './families.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    chunks: { type: 'string', default: '100' },
    ctx: { type: 'string', default: '512' },
    memory: { type: 'string', default: '4GiB' },
    threads: { type: 'string', default: '2' },
    vocabulary: { type: 'string', default: '32000' },
  },
});
const [model] = positionals;
if (!model) {
  console.error('usage: node bench/imatrix.mjs MODEL.gguf [--chunks N] [--ctx N] [--memory SIZE,…|none]');
  process.exit(2);
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const tokens = Number(values.chunks) * Number(values.ctx);
const random = uniform(7);
const ids = path.join(folder, 'ids.txt');
writeFileSync(
  ids,
  Array.from({ length: tokens }, () => Math.floor(random() * Number(values.vocabulary))).join(' '),
);

console.log(`${path.basename(model)}: ${values.chunks} chunks of ${values.ctx} tokens`);
console.log('memory        time   tokens/s   peak RSS   SHA-256');
const hashes = new Set();
for (const memory of values.memory.split(',')) {
  const out = path.join(folder, `${memory}.imatrix.gguf`);
  const budget = memory === 'none' ? [] : ['--memory', memory];
  const { seconds, peak } = await run([
    'bin/bitmill.mjs',
    'imatrix',
    '-m',
    path.resolve(model),
    '--tokens',
    ids,
    '-c',
    values.ctx,
    '-o',
    out,
    '-t',
    values.threads,
    '--no-ppl',
    '--save-every',
    '0',
    '-q',
    ...budget,
  ]);
  const hash = createHash('sha256').update(readFileSync(out)).digest('hex');
  hashes.add(hash);
  const cells = [`${seconds.toFixed(0)} s`, (tokens / seconds).toFixed(1), `${peak.toFixed(0)} MiB`];
  console.log(
    `${memory.padEnd(8)}${cells.map((cell) => cell.padStart(10)).join(' ')}   ${hash.slice(0, 16)}`,
  );
}
console.log(hashes.size === 1 ? 'the same bytes for every budget' : 'the budgets differ in their bytes');
process.exitCode = hashes.size === 1 ? 0 : 1;
