/**
 * `bitmill make` on a large model: time of each step and peak resident memory under a budget.
 *
 *   node bench/make.mjs MODEL.gguf DIR --calibration TEXT --eval-text TEXT [--memory 4GiB] [--types all] [--chunks 1]
 *     [--ctx 512] [--eval-chunks 1] [--threads 2]
 *
 * A model of Phi-3-mini's size: node bench/make-synthetic.mjs OUT.gguf --vocabulary VOCABULARY.gguf. An interrupted run
 * goes on; its times then add up to those of the parts. The limits are those of the steps: searching the codes
 * (bench/encode.mjs) and 128-bit batches (bench/matmul.mjs).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { run } from './child.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    calibration: { type: 'string' },
    'eval-text': { type: 'string' },
    memory: { type: 'string', default: '4GiB' },
    types: { type: 'string', default: 'all' },
    chunks: { type: 'string', default: '1' },
    ctx: { type: 'string', default: '512' },
    'eval-chunks': { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
  },
});
const [model, folder] = positionals;
if (!folder || !values.calibration || !values['eval-text']) {
  console.error(
    'usage: node bench/make.mjs MODEL.gguf DIR --calibration TEXT --eval-text TEXT [--memory 4GiB] …',
  );
  process.exit(2);
}

const options = Object.entries({
  '--calibration': path.resolve(values.calibration),
  '--eval-text': path.resolve(values['eval-text']),
  '--memory': values.memory,
  '--types': values.types,
  '--chunks': values.chunks,
  '--eval-chunks': values['eval-chunks'],
  '-c': values.ctx,
  '--threads': values.threads,
}).flat();
const { seconds, peak } = await run([
  'bin/bitmill.mjs',
  'make',
  path.resolve(model),
  '-o',
  path.resolve(folder),
  ...options,
]);
const set = JSON.parse(readFileSync(path.join(folder, 'bitmill.json'), 'utf8'));
const bytes = set.quants.reduce((sum, quant) => sum + quant.bytes, 0);
console.log(
  `${set.model.name}: ${(set.model.parameters / 1e9).toFixed(2)} G weights, ${set.quants.length} quants, ${(bytes / 2 ** 30).toFixed(1)} GiB`,
);
for (const { name, seconds: took } of set.steps)
  console.log(`${name.padEnd(28)}${took.toFixed(1).padStart(9)} s`);
console.log(
  `this run ${seconds.toFixed(0)} s, peak RSS ${peak.toFixed(0)} MiB under --memory ${values.memory}`,
);
