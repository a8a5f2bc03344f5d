/**
 * Attention alone, by number of positions: both algorithms and all cache types in the shape of Phi-3-mini.
 *
 *   node bench/attention.mjs [--heads 32] [--kv-heads 32] [--size 96] [--positions 512,1024,2048,4096] [--prompt 512]
 *                            [--threads 1] [--seconds 1]
 *
 * A prompt is `prompt` tokens that end at so many positions; a step is one token after them. G/s: products of a query with
 * a key and of a weight with a value, a thousand million a second; GB/s: bytes of keys and values read.
 */
import { parseArgs } from 'node:util';
import { bytesOf, wasmBackend } from '../dist/backends/index.js';
import { CACHE_TYPES, cacheRowBytes, GraphBuilder } from '../dist/graph/index.js';
import { spawnEngineThread } from '../dist/platform/index.js';
import { uniform } from './families.mjs';

const { values } = parseArgs({
  options: {
    heads: { type: 'string', default: '32' },
    'kv-heads': { type: 'string', default: '32' },
    size: { type: 'string', default: '96' },
    positions: { type: 'string', default: '512,1024,2048,4096' },
    prompt: { type: 'string', default: '512' },
    threads: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '1' },
  },
});
const [heads, kvHeads, size, prompt, threads, seconds] = [
  ...[values.heads, values['kv-heads'], values.size, values.prompt, values.threads, values.seconds],
].map(Number);

/** A graph that stores its input as keys and values, and one that attends to them. */
function graphsOf(type, algorithm) {
  const store = new GraphBuilder('store');
  const x = store.input('x', 'T', kvHeads * size);
  const attend = new GraphBuilder('attend');
  const q = attend.input('q', 'T', heads * size);
  const [keys, cached] = ['keys', 'values'].map((name) => attend.cache(name, type, kvHeads * size));
  for (const name of ['keys', 'values']) store.cacheStore(x, store.cache(name, type, kvHeads * size));
  const scale = 1 / Math.sqrt(size);
  const fields = { q, keys, values: cached, heads, kvHeads, scale, window: 0, algorithm };
  attend.output('out', attend.attention(fields));
  return [store.build(), attend.build()];
}

/** Least seconds of a run, over `seconds` of runs and at least two. */
async function fastest(run) {
  await run();
  let best = Number.POSITIVE_INFINITY;
  const until = performance.now() + 1000 * seconds;
  do {
    const start = performance.now();
    await run();
    best = Math.min(best, (performance.now() - start) / 1000);
  } while (performance.now() < until);
  return best;
}

async function measure(backend, positions, type, algorithm) {
  const [store, attend] = graphsOf(type, algorithm).map((graph) => backend.compile(graph));
  const row = cacheRowBytes({ type, cols: kvHeads * size });
  const random = uniform(1);
  const x = Float32Array.from({ length: positions * kvHeads * size }, () => 4 * random() - 2);
  const bytes = { x: 4 * x.length, q: 4 * prompt * heads * size, out: 4 * prompt * heads * size };
  const sizes = { ...bytes, keys: positions * row, values: positions * row };
  const bind = new Map(Object.entries(sizes).map(([name, length]) => [name, backend.alloc(length, name)]));
  backend.write(bind.get('x'), 0, bytesOf(x));
  backend.write(bind.get('q'), 0, bytesOf(x.subarray(0, Math.min(x.length, prompt * heads * size))));
  await backend.run([{ program: store, dims: { T: positions, S: 0, past: 0 }, bind }]);
  const run = (T) =>
    fastest(() => backend.run([{ program: attend, dims: { T, S: 0, past: positions - T }, bind }]));
  const tokens = Math.min(prompt, positions);
  const [batch, step] = [await run(tokens), await run(1)];
  for (const buffer of bind.values()) backend.free(buffer);
  const products = 2 * heads * size * (tokens * (positions - tokens) + (tokens * (tokens + 1)) / 2);
  return { batch, step, batchRate: products / batch / 1e9, stepRate: (2 * positions * row) / step / 1e9 };
}

const backend = await wasmBackend({ threads, spawn: spawnEngineThread });
console.log(`${heads} heads on ${kvHeads}, ${size} columns, ${threads} threads`);
console.log('positions  algorithm cache   prompt ms     G/s   step ms    GB/s');
for (const positions of values.positions.split(',').map(Number)) {
  for (const algorithm of ['flash', 'eager']) {
    for (const type of CACHE_TYPES) {
      const { batch, step, batchRate, stepRate } = await measure(backend, positions, type, algorithm);
      const cells = [
        (1000 * batch).toFixed(1),
        batchRate.toFixed(2),
        (1000 * step).toFixed(3),
        stepRate.toFixed(2),
      ];
      console.log(
        `${String(positions).padStart(9)}  ${algorithm.padEnd(9)} ${type.padEnd(6)} ${cells.map((cell) => cell.padStart(8)).join(' ')}`,
      );
    }
  }
}
await backend.close();
