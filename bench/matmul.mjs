/**
 * Speed of the wasm backend's matrix products: G multiply-adds and GB of weights per second, by format and tokens.
 *
 *   node bench/matmul.mjs [--formats Q4_K,Q6_K] [--tokens 1,8,512] [--shapes 3072x9216,8192x3072] [--threads 2]
 *                         [--seconds 0.5] [--json]
 *
 * Shapes are row length x rows, by default Phi-3-mini's. Weights of a round differ from those of the round before, as
 * in a model: a single token reads them from memory, not from the cache. Each number is the best of the repetitions.
 */
import { parseArgs } from 'node:util';
import { ENGINE_BASE64 } from '../dist/backends/wasm/module.gen.js';
import { lowerMatmul } from '../dist/backends/wasm/ops/matmul.js';
import { FORMATS, formatBytes } from '../dist/quants/index.js';
import { machineLimits } from './limits.mjs';
import { startThreads } from './threads.mjs';

const { values: options } = parseArgs({
  options: {
    formats: { type: 'string' },
    tokens: { type: 'string', default: '1,8,512' },
    shapes: { type: 'string', default: '3072x9216,3072x16384,8192x3072' },
    threads: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '0.5' },
    json: { type: 'boolean', default: false },
  },
});
const FLOATS = ['F32', 'F16', 'BF16'];
/** Bytes of weights that no cache holds. */
const BEYOND_CACHE = 256 << 20;

const all = Object.values(FORMATS).filter((format) => format.plane || FLOATS.includes(format.name));
const names = options.formats ? options.formats.toUpperCase().split(',') : all.map((format) => format.name);
const threads = Number(options.threads);
const machine = await startThreads({
  bytes: Buffer.from(ENGINE_BASE64, 'base64'),
  threads,
  formats: all.map((format) => format.name),
  megabytes: 1024,
});

/** Bits that stay, and bits that are set: numbers of ordinary size, as floats far from the subnormal ones that slow sums. */
const ORDINARY = {
  F32: [0x807fffff, 0x3c000000],
  F16: [0x83ff83ff, 0x24002400],
  BF16: [0x807f807f, 0x3c003c00],
};
/** Any f16 among random bits is finite and not subnormal, as scales are: a kernel's branches are as well predicted. */
const FINITE = [0xbfffbfff, 0x20002000];

/** Random bytes are valid blocks of every format; their speed does not depend on their values. */
function fillRandom(address, bytes, [mask, ones]) {
  const words = new Uint32Array(machine.memory.buffer, address, bytes >> 2);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    words[i] = (state & mask) | ones;
  }
}

/** Seconds of the fastest round; `rounds` are lists of commands, taken in turn. */
function fastest(rounds) {
  let best = Number.POSITIVE_INFINITY;
  const until = performance.now() + 1000 * Number(options.seconds);
  for (let i = 0; i <= rounds.length || performance.now() < until; i++) {
    const start = performance.now();
    machine.run(rounds[i % rounds.length]);
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

function measure(format, cols, rows, tokens) {
  const mark = machine.mark();
  const bytes = formatBytes(format, cols * rows);
  const copies = tokens < 32 ? Math.max(1, Math.ceil(BEYOND_CACHE / bytes)) : 1;
  const weights = machine.alloc(copies * bytes);
  fillRandom(weights, copies * bytes, ORDINARY[format.name] ?? FINITE);
  const x = { kind: 'value', rows: 'T', cols };
  const places = new Map([[x, { address: machine.alloc(4 * tokens * cols), stride: 4 * cols }]]);
  new Float32Array(machine.memory.buffer, places.get(x).address, tokens * cols).fill(0.5);
  const output = { kind: 'value', rows: 'T', cols: rows };
  places.set(output, { address: machine.alloc(4 * tokens * rows), stride: 4 * rows });
  const temporary = machine.alloc(4 * tokens * cols);
  const rounds = Array.from({ length: copies }, (_, copy) =>
    lowerMatmul(
      { op: 'matmul', x, weight: { name: 'w', format, cols, rows }, output },
      {
        dims: { T: tokens, S: 0, past: 0 },
        threads,
        place: (value) => places.get(value),
        weight: () => ({ address: weights + copy * bytes, format }),
        temporary: () => temporary,
        has: () => false,
        slot: ({ name }) => machine.slot(name),
      },
    ),
  );
  const seconds = fastest(rounds);
  machine.release(mark);
  return { gmacs: (tokens * cols * rows) / seconds / 1e9, gbs: bytes / seconds / 1e9 };
}

const results = [];
const limits = await machineLimits();
if (!options.json) {
  const f = (value) => value.toFixed(1);
  console.log(`limits of a thread: ${f(limits.gmacs)} GMAC/s (16 bits, L1), ${f(limits.gbs)} GB/s (memory)`);
  console.log('format    shape        tokens  GMAC/s    GB/s');
}
for (const name of names) {
  for (const shape of options.shapes.split(',')) {
    const [cols, rows] = shape.split('x').map(Number);
    for (const tokens of options.tokens.split(',').map(Number)) {
      const { gmacs, gbs } = measure(FORMATS[name], cols, rows, tokens);
      results.push({ format: name, cols, rows, tokens, gmacs, gbs });
      if (options.json) continue;
      const f = (value) => value.toFixed(2).padStart(8);
      console.log(`${name.padEnd(8)}  ${shape.padEnd(11)}${String(tokens).padStart(8)}${f(gmacs)}${f(gbs)}`);
    }
  }
}
if (options.json) console.log(JSON.stringify({ limits, results }, null, 2));
await machine.stop();
