/**
 * Tokens a second by number of sequences: each run appends one token to each of them and gives back all logits, as a server
 * with so many streams does it. Numbers of sequences take turns, so that a busy machine hits all of them; the best run counts.
 *
 *   node bench/batch.mjs MODEL.gguf… [--sequences 1,2,4,8,16] [--threads 2] [--depth 64] [--rounds 40] [--no-relaxed]
 *                        [--cache-type f16] [--no-peer] [--clock wall|cpu]
 *
 * `depth`: tokens that each sequence has before. The ratio is to one sequence. The peer, llama.cpp, gets as many tokens of
 * one sequence in one batch with the logits of all, which is the same work but for a shorter context. The clock `cpu` counts
 * CPU seconds of all threads, for one thread on a busy machine.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { wasmBackend } from '../dist/backends/index.js';
import { Engine, openSequences } from '../dist/generate/index.js';
import { allowRelaxedSimd, openGguf, spawnEngineThread } from '../dist/platform/index.js';
import { loadOracle } from './oracle.mjs';

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    sequences: { type: 'string', default: '1,2,4,8,16' },
    threads: { type: 'string', default: '2' },
    depth: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '40' },
    'no-relaxed': { type: 'boolean', default: false },
    'cache-type': { type: 'string', default: 'f16' },
    clock: { type: 'string', default: 'wall' },
    'no-peer': { type: 'boolean', default: false },
    /** A child of this program: the peer's numbers of one model as JSON. */
    'as-peer': { type: 'boolean', default: false },
  },
});
const counts = options.sequences.split(',').map(Number);
const [threads, depth, rounds] = [options.threads, options.depth, options.rounds].map(Number);

/** Least seconds of `run(count)` by count, over rounds in which all counts take turns. */
async function fastest(run) {
  const best = counts.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [i, count] of counts.entries()) best[i] = Math.min(best[i], await run(count));
  }
  return best;
}

/** Seconds. */
const CLOCKS = {
  wall: () => performance.now() / 1000,
  cpu: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
};

async function timed(work) {
  const now = CLOCKS[options.clock];
  const start = now();
  await work();
  return now() - start;
}

async function ours(model) {
  const relaxed = !options['no-relaxed'];
  if (relaxed) allowRelaxedSimd();
  const backend = await wasmBackend({ threads, spawn: spawnEngineThread, relaxed });
  const file = await openGguf(model);
  const engine = await Engine.open(file, {
    backend,
    contextSize: depth + 1,
    sequences: Math.max(...counts),
    cacheType: options['cache-type'],
  });
  const sequences = await openSequences(engine);
  const { vocabulary } = engine.model.hyper;
  const token = (i) => (100 + i * 7919) % vocabulary;
  const prompt = Int32Array.from({ length: depth }, (_, i) => token(i));
  for (let sequence = 0; sequence < sequences.count; sequence++) {
    await sequences.run([{ sequence, tokens: prompt, want: 'nothing' }]);
  }
  const seconds = await fastest(async (count) => {
    const parts = Array.from({ length: count }, (_, sequence) => {
      sequences.rewind(sequence, depth);
      return { sequence, tokens: Int32Array.of(token(sequence)), want: 'last' };
    });
    return timed(() => sequences.run(parts));
  });
  sequences.close();
  engine.close();
  await file.close();
  await backend.close();
  return seconds;
}

async function peer(model) {
  const { Peer } = await loadOracle('llama.mjs');
  const own = Peer.open(model, { threads, nCtx: 64 });
  const seconds = await fastest(async (count) => {
    const tokens = Int32Array.from({ length: count }, (_, i) => (100 + i * 7919) % own.vocabSize);
    return timed(() => own.logits(tokens));
  });
  own.close();
  return seconds;
}

/** The peer in a process of its own: its threads would spin beside ours. */
function peerOf(model) {
  const args = [
    fileURLToPath(import.meta.url),
    ...process.argv.slice(2).filter((arg) => !models.includes(arg)),
  ];
  const { status, stdout } = spawnSync(process.execPath, [...args, '--as-peer', model], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return status === 0 ? JSON.parse(stdout) : undefined;
}

function print(model, own, other) {
  console.log(
    `${path.basename(model)}, ${threads} threads, ${depth} positions, ${options['cache-type']} cache`,
  );
  console.log('sequences  tokens/s  ratio   llama.cpp  ratio');
  const cells = (seconds, i) => [counts[i] / seconds[i], (counts[i] * seconds[0]) / (counts[0] * seconds[i])];
  counts.forEach((count, i) => {
    const [speed, ratio] = cells(own, i);
    const left = `${String(count).padStart(9)} ${speed.toFixed(0).padStart(9)} ${ratio.toFixed(2).padStart(6)}`;
    const [theirs, gain] = other ? cells(other, i) : [];
    console.log(other ? `${left} ${theirs.toFixed(0).padStart(11)} ${gain.toFixed(2).padStart(6)}` : left);
  });
}

for (const model of models) {
  const file = path.resolve(model);
  if (options['as-peer']) console.log(JSON.stringify(await peer(file)));
  else print(model, await ours(file), options['no-peer'] ? undefined : peerOf(file));
}
