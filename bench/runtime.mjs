/**
 * The engine's runtime by itself: what a command costs (call and barrier) by number of threads, what a run costs, and
 * what the simple kernels take an element. Products and attention have benches of their own.
 *
 *     node bench/runtime.mjs [threads ...]
 */
import { bytesOf, wasmBackend } from '../dist/backends/index.js';
import { GraphBuilder } from '../dist/graph/index.js';
import { spawnEngineThread } from '../dist/platform/index.js';
import { FORMATS } from '../dist/quants/index.js';

/** Best and median of `times` runs, in milliseconds. */
async function time(times, run) {
  const taken = [];
  for (let i = 0; i < times; i++) {
    const started = performance.now();
    await run();
    taken.push(performance.now() - started);
  }
  taken.sort((a, b) => a - b);
  return { best: taken[0], median: taken[times >> 1] };
}

/** A step of a graph with buffers for everything that it names. */
async function stepOf(backend, dims, build) {
  const g = new GraphBuilder('bench');
  build(g);
  const graph = g.build();
  const bind = new Map();
  for (const [name, { rows, cols }] of [...graph.inputs, ...graph.outputs]) {
    bind.set(name, backend.alloc(4 * (dims[rows] ?? rows) * cols, name));
  }
  for (const weight of graph.weights) {
    bind.set(weight.name, await backend.upload(weight, async (_, length) => new Uint8Array(length)));
  }
  return { program: backend.compile(graph), dims, bind };
}

const COMMANDS = 5000;

async function commands(threads) {
  const backend = await wasmBackend({ threads, spawn: spawnEngineThread });
  const step = await stepOf(backend, { T: 1, S: 0, past: 0 }, (g) => {
    const y = g.input('y', 'T', 4);
    let x = g.input('x', 'T', 4);
    for (let i = 0; i < 100; i++) x = g.add(x, y);
    g.output('out', x);
  });
  const steps = Array.from({ length: COMMANDS / 100 }, () => step);
  const { best, median } = await time(40, () => backend.run(steps));
  const empty = await time(200, () => backend.run([]));
  await backend.close();
  const micro = (ms) => ((1000 * ms) / COMMANDS).toFixed(2);
  console.log(
    `${threads} threads: ${micro(best)} us a command (median ${micro(median)}), ` +
      `${(1000 * empty.best).toFixed(0)} us an empty run (median ${(1000 * empty.median).toFixed(0)})`,
  );
}

const T = 512;
const VOCABULARY = 32064;
const values = (count) => Float32Array.from({ length: count }, () => 6 * (Math.random() - 0.5));
const norm = { name: 'w', format: FORMATS.F32, shape: [3072] };

/** Name, columns that count, the graph. Widths of Phi-3-mini. */
const KERNELS = [
  ['add', 3072, (g) => g.add(g.input('x', 'T', 3072), g.input('y', 'T', 3072))],
  ['rms_norm', 3072, (g) => g.rmsNorm(g.input('x', 'T', 3072), norm, 1e-5)],
  ['swiglu', 8192, (g) => g.swiglu(g.input('x', 'T', 8192), g.input('y', 'T', 8192))],
  [
    'rope',
    3072,
    (g) => {
      const [cos, sin] = ['cos', 'sin'].map((name) => g.input(name, 'T', 48));
      return g.rope({ x: g.input('x', 'T', 3072), cos, sin, heads: 32, style: 'neox' });
    },
  ],
  ['loss', VOCABULARY, (g) => g.loss(g.input('x', 'S', VOCABULARY), g.input('targets', 'S', 1, 'i32'))],
  [
    'divergence',
    VOCABULARY,
    (g) => {
      const [x, y] = ['x', 'y'].map((name) => g.input(name, 'S', VOCABULARY));
      return g.divergence(x, y, g.input('targets', 'S', 1, 'i32'));
    },
  ],
];

async function kernels() {
  const backend = await wasmBackend();
  for (const [name, cols, build] of KERNELS) {
    const dims = { T, S: T / 2, past: 0 };
    const step = await stepOf(backend, dims, (g) => g.output('out', build(g)));
    const x = step.bind.get('x');
    const data = values(x.bytes / 4);
    for (const input of ['x', 'y']) {
      const buffer = step.bind.get(input);
      if (buffer) backend.write(buffer, 0, bytesOf(data));
    }
    const { best } = await time(30, () => backend.run([step]));
    const elements = x.bytes / 4;
    console.log(
      `${name.padEnd(12)} [${elements / cols}, ${cols}]: ${((1e6 * best) / elements).toFixed(2)} ns an element`,
    );
    for (const buffer of step.bind.values()) backend.free(buffer);
  }
  await backend.close();
}

const asked = process.argv.slice(2).map(Number);
for (const threads of asked.length > 0 ? asked : [1, 2]) await commands(threads);
await kernels();
