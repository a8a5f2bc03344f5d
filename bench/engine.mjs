/**
 * Tokens a second beside llama.cpp's: the same files, tokens and threads; each side in a child process of its own, one
 * after the other, in rounds that alternate so that a busy machine hits both. The best round of each side counts.
 *
 *   node bench/engine.mjs MODEL.gguf… [--threads 1,2] [--prompt 512] [--generate 32] [--depth 0] [--rounds 3]
 *                         [--attention flash] [--cache-type f16] [--backend auto] [--level NAME] [--no-peer] [--json]
 *
 * `depth`: tokens in the context before generation. Ratios are ours / llama.cpp's, above 1 is better; memory is the peak
 * resident size in MiB (the peer's weights are pages of the file, ours are in WebAssembly's memory).
 */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { values: options, positionals: models } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1,2' },
    prompt: { type: 'string', default: '512' },
    generate: { type: 'string', default: '32' },
    depth: { type: 'string', default: '0' },
    rounds: { type: 'string', default: '3' },
    attention: { type: 'string', default: 'flash' },
    'cache-type': { type: 'string', default: 'f16' },
    backend: { type: 'string', default: 'auto' },
    level: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
if (models.length === 0) {
  console.error('usage: node bench/engine.mjs MODEL.gguf… [--threads 1,2] [--prompt 512] [--generate 32]');
  process.exit(2);
}

/** Runs a Node child to its end; the JSON that it prints. */
function child(args) {
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${args.join(' ')} exited with ${status}`);
  return JSON.parse(stdout);
}

function ours(model, threads, prompt, depth, generate) {
  return child([
    path.join(ROOT, 'bin/bitmill.mjs'),
    ...['bench', '-m', model, '-t', String(threads), '-p', prompt, '-n', generate, '-d', depth],
    ...['--attention', options.attention, '--cache-type', options['cache-type'], '--reps', '1', '--json'],
    ...['--backend', options.backend, ...(options.level ? ['--level', options.level] : [])],
  ]);
}

const SIDES = {
  ours: (model, threads) => {
    const { depth, prompt, generate } = options;
    if (depth === '0') return ours(model, threads, prompt, depth, generate);
    // The peer's prompt is at the start whatever the depth of generation is.
    const first = ours(model, threads, prompt, '0', '0');
    const second = ours(model, threads, '0', depth, generate);
    return { ...second, prompt_tps: first.prompt_tps, peak_rss: Math.max(first.peak_rss, second.peak_rss) };
  },
  peer: (model, threads) =>
    child([
      path.join(ROOT, 'bench/peer-speed.mjs'),
      ...[model, String(threads), options.prompt, options.generate, options.depth, '1'],
    ]),
};

/** The fastest of several results, and the largest memory. */
function best(results) {
  const most = (key) => Math.max(...results.map((result) => result[key]));
  return { prompt_tps: most('prompt_tps'), gen_tps: most('gen_tps'), peak_rss: most('peak_rss') };
}

function compare(model, threads) {
  const names = options['no-peer'] ? ['ours'] : ['ours', 'peer'];
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const name of names) results[name].push(SIDES[name](path.resolve(model), threads));
  }
  const row = { model, threads, ours: best(results.ours) };
  if (options['no-peer']) return row;
  const peer = best(results.peer);
  const ratio = {
    prompt: row.ours.prompt_tps / peer.prompt_tps,
    generation: row.ours.gen_tps / peer.gen_tps,
    memory: row.ours.peak_rss / peer.peak_rss,
  };
  return { ...row, peer, ratio };
}

const cell = (value, digits, width) => (Number.isFinite(value) ? value.toFixed(digits) : '-').padStart(width);

function line({ model, threads, ours: own, peer, ratio }) {
  const speeds = (key, name) => [cell(own[key], 2, 8), cell(peer?.[key], 2, 8), cell(ratio?.[name], 2, 6)];
  const mib = (side) => cell(side && side.peak_rss / 2 ** 20, 0, 6);
  return [
    path.basename(model).padEnd(24),
    String(threads).padStart(2),
    ...speeds('prompt_tps', 'prompt'),
    ...speeds('gen_tps', 'generation'),
    mib(own),
    mib(peer),
  ].join(' ');
}

const rows = [];
if (!options.json) {
  const load = os.loadavg()[0].toFixed(1);
  console.log(
    `${options.prompt} prompt tokens, ${options.generate} generated, best of ${options.rounds}; load ${load}`,
  );
  const head = ['t', 'prompt', 'peer', 'ratio', 'generate', 'peer', 'ratio', 'MiB', 'peer'];
  const widths = [2, 8, 8, 6, 8, 8, 6, 6, 6];
  console.log([''.padEnd(24), ...head.map((word, i) => word.padStart(widths[i]))].join(' '));
}
for (const model of models) {
  for (const threads of options.threads.split(',').map(Number)) {
    const row = compare(model, threads);
    rows.push(row);
    if (!options.json) console.log(line(row));
  }
}
if (options.json) console.log(JSON.stringify(rows, null, 2));
