/**
 * `bitmill serve` under load.
 *
 *   node bench/serve.mjs streams [--model FILE] [--streams 16] [--seconds 30] [--tokens 64] [-- ARGS OF SERVE]
 *   node bench/serve.mjs soak [--model phi3-tiny] [--requests 10000] [--workers 32] [--tokens 12] [-- ARGS OF SERVE]
 */
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { soak } from './serve-soak.mjs';
import { compareStreams } from './serve-streams.mjs';

const SMOLLM2 = path.join(
  process.env.BITMILL_TEST_CACHE ?? path.join(os.homedir(), '.cache', 'bitmill'),
  'smollm2.gguf',
);

const split = process.argv.indexOf('--');
const own = split < 0 ? process.argv.slice(2) : process.argv.slice(2, split);
const args = split < 0 ? [] : process.argv.slice(split + 1);
const {
  values,
  positionals: [what],
} = parseArgs({
  args: own,
  allowPositionals: true,
  options: Object.fromEntries(
    ['model', 'streams', 'seconds', 'tokens', 'requests', 'workers'].map((name) => [
      name,
      { type: 'string' },
    ]),
  ),
});
const number = (name, standard) => Number(values[name] ?? standard);
const mib = (value) => `${value.toFixed(1)} MiB`;

async function streams() {
  const model = values.model ?? (existsSync(SMOLLM2) ? SMOLLM2 : 'phi3-tiny');
  const count = number('streams', 16);
  const options = {
    model,
    streams: count,
    seconds: number('seconds', 30),
    tokens: number('tokens', 64),
    args,
  };
  const { texts, one, many, ratio, least, most } = await compareStreams(options);
  console.log(`${path.basename(model)}: ${count} streams, ${os.availableParallelism()} cores`);
  const speed = ({ rate, runs, batch, cpu }) =>
    `${rate.toFixed(1)} tokens/s in ${runs} runs of ${batch.toFixed(1)} tokens, ${cpu.toFixed(1)} ms of a core for each`;
  console.log(`1 stream:           ${speed(one)}`);
  console.log(`${count} streams:         ${speed(many)}; ${ratio.toFixed(2)} times one`);
  console.log(
    `same answers:       ${texts.together.toFixed(1)} tokens/s at once, ${texts.alone.toFixed(1)} one after the other`,
  );
  console.log(`tokens of a stream: ${least} to ${most}, ${(most / least).toFixed(2)} times`);
  console.log(`lost: ${texts.lost}; other texts than alone: ${texts.differing.length} of ${count}`);
  for (const { prompt, together, alone } of texts.differing) {
    console.log(JSON.stringify({ prompt, together, alone }));
  }
}

async function load() {
  const model = values.model ?? 'phi3-tiny';
  const result = await soak({
    model,
    requests: number('requests', 10_000),
    workers: number('workers', 32),
    tokens: number('tokens', 12),
    args,
    tell: (done, { rss, heap }) => console.error(`${done} requests: ${mib(rss)} resident, ${mib(heap)} heap`),
  });
  const { requests, seconds, counts, unexpected, samples, quarters, slope, after, code } = result;
  console.log(`${path.basename(model)}: ${requests} requests in ${seconds.toFixed(0)} s`);
  for (const [kind, outcomes] of Object.entries(counts)) {
    const told = Object.entries(outcomes).map(([outcome, count]) => `${count} × ${outcome}`);
    console.log(`${kind.padEnd(22)} ${told.join(', ')}`);
  }
  for (const [name, at] of [
    ['start', 0],
    ['middle', samples.length >> 1],
    ['end', samples.length - 1],
  ]) {
    const { done, rss, heap } = samples[at];
    console.log(
      `${name.padEnd(7)} ${String(done).padStart(6)} requests: ${mib(rss)} resident, ${mib(heap)} heap`,
    );
  }
  const row = (of) => quarters.map((quarter) => of(quarter).toFixed(1)).join(', ');
  console.log(
    `by quarter: most resident ${row(({ rss }) => rss)}; least heap ${row(({ heap }) => heap)} MiB`,
  );
  console.log(
    `second half: resident ${slope.rss.toFixed(2)}, heap ${slope.heap.toFixed(2)} MiB a thousand requests`,
  );
  console.log(
    `afterwards: ${after.active} slots active, ${after.waiting} requests waiting, exit code ${code}`,
  );
  console.log(unexpected.length === 0 ? 'all as expected' : `not as expected: ${unexpected.join('; ')}`);
  if (unexpected.length > 0 || code !== 0) process.exitCode = 1;
}

const PARTS = { streams, soak: load };
if (!PARTS[what]) throw new Error(`one of ${Object.keys(PARTS).join(', ')} is wanted`);
await PARTS[what]();
process.exit();
