/**
 * How soon a model that is in the page cache answers, and what several processes with one model share:
 *
 *   node bench/load.mjs MODEL.gguf [--processes 2] [--backend native] [--rounds 3]
 *
 * Each process opens the file, feeds one token and says how long that took, from the first line of its program on; the
 * runtime's own start (node --version) is printed beside it. Memory is from /proc: resident, and each process's part of
 * what is shared (PSS), while all of them hold the model.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    processes: { type: 'string', default: '2' },
    backend: { type: 'string', default: 'native' },
    rounds: { type: 'string', default: '3' },
    child: { type: 'boolean', default: false },
  },
});
const [model] = positionals;
if (!model) {
  console.error('usage: node bench/load.mjs MODEL.gguf [--processes 2] [--backend native] [--rounds 3]');
  process.exit(2);
}

/** Milliseconds of each step from the begin of the program on. */
async function load() {
  const start = performance.now();
  const { Engine, Session } = await import('../dist/generate/index.js');
  const { chooseBackend, openGguf } = await import('../dist/platform/index.js');
  const imported = performance.now();
  const backend = await (await chooseBackend(values.backend)).open({ relaxed: true });
  const engine = await Engine.open(await openGguf(model), { backend, contextSize: 256 });
  const session = await Session.open(engine);
  const opened = performance.now();
  const logits = await session.feed(Int32Array.of(1));
  const first = performance.now();
  if (!logits.every(Number.isFinite)) throw new Error('the logits are not numbers');
  await session.feed(Int32Array.of(logits.indexOf(Math.max(...logits))));
  const second = performance.now();
  return {
    program: imported - start,
    open: opened - imported,
    first: first - opened,
    all: first - start,
    second: second - first,
  };
}

if (values.child) {
  console.log(JSON.stringify(await load()));
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
} else await parent();

async function startChild() {
  const self = fileURLToPath(import.meta.url);
  const args = [self, path.resolve(model), '--child', '--backend', values.backend];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout }))
    return { child, times: JSON.parse(line) };
  throw new Error('a process ended without a word');
}

/** MiB of a line of /proc/PID/smaps_rollup. */
function memory(pid, what) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
}

async function parent() {
  spawnSync('cat', [model], { stdio: ['ignore', 'ignore', 'inherit'] });
  const start = performance.now();
  spawnSync(process.execPath, ['--version']);
  const node = performance.now() - start;
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const { child, times } = await startChild();
    rounds.push(times);
    child.stdin.end();
    await new Promise((resolve) => child.on('exit', resolve));
  }
  const best = rounds.reduce((a, b) => (a.all < b.all ? a : b));
  const ms = (value) => `${value.toFixed(0)} ms`;
  console.log(
    `${path.basename(model)}, ${values.backend}: the file is in the page cache, best of ${values.rounds}`,
  );
  console.log(
    `node itself ${ms(node)}; program ${ms(best.program)}, open ${ms(best.open)}, first token ${ms(best.first)}`,
  );
  console.log(`first token after ${ms(best.all)}; the one behind it takes ${ms(best.second)}`);
  const held = [];
  for (let n = 0; n < Number(values.processes); n++) held.push((await startChild()).child);
  for (const { pid } of held) {
    const row = ['Rss', 'Pss', 'Anonymous'].map((what) => `${what} ${memory(pid, what).toFixed(0)} MiB`);
    console.log(`process ${pid}: ${row.join(', ')}`);
  }
  for (const child of held) child.stdin.end();
}
