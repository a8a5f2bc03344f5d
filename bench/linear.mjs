/**
 * How cost grows with tokens and with layers: seconds of prompts through the first layers of a model.
 *
 *   node bench/linear.mjs MODEL.gguf [--tokens 64,128,256,512,1024,2048] [--layers 2,4,8,16] [--at 256] [--depth 2]
 *                         [--threads 2] [--rounds 2] [--clock wall|cpu] [--out linear.svg]
 *
 * Tokens go through `depth` layers, once in chunks of 512 (as imatrix and perplexity take them) and once as one context,
 * where attention adds its square; layers are measured with `at` tokens. The best of the rounds counts. The
 * clock `cpu` counts CPU seconds of all threads, for a busy machine. Prints a table and the fits' R², writes a chart.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { wasmBackend } from '../dist/backends/index.js';
import { Engine, Session } from '../dist/generate/index.js';
import { u32 } from '../dist/gguf/index.js';
import { openGguf, spawnEngineThread } from '../dist/platform/index.js';
import { renderSvg } from '../dist/report/index.js';
import { uniform } from './families.mjs';

const CHUNK = 512;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tokens: { type: 'string', default: '64,128,256,512,1024,2048' },
    layers: { type: 'string', default: '2,4,8,16' },
    at: { type: 'string', default: '256' },
    depth: { type: 'string', default: '2' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '2' },
    clock: { type: 'string', default: 'wall' },
    out: { type: 'string', default: 'linear.svg' },
  },
});
const [model] = positionals;
if (!model) {
  console.error('usage: node bench/linear.mjs MODEL.gguf [--tokens 64,…] [--layers 2,…] [--out FILE.svg]');
  process.exit(2);
}
const numbers = (text) => text.split(',').map(Number);

/** The same file as a model of its first layers only. */
function firstLayers(file, count) {
  const architecture = file.metadata.get('general.architecture')?.value;
  const key = `${architecture}.block_count`;
  const has = file.metadata.get(key)?.value;
  if (!(count <= has)) throw new Error(`${file.name} has ${has} layers, ${count} were asked for`);
  const tensors = file.tensors.filter(({ name }) => !(Number(/^blk\.(\d+)\./.exec(name)?.[1]) >= count));
  return {
    name: file.name,
    metadata: new Map([...file.metadata, [key, u32(count)]]),
    tensors,
    find: (name) => tensors.find((tensor) => tensor.name === name),
    read: (...range) => file.read(...range),
  };
}

const tokensOf = (count, vocabulary) => {
  const random = uniform(1);
  return Int32Array.from({ length: count }, () => Math.floor(random() * vocabulary));
};

/** Seconds by the chosen clock. */
function now() {
  if (options.clock === 'wall') return performance.now() / 1000;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Least seconds of each work, over rounds that take turns; the first work also warms up. */
async function fastest(works) {
  const best = works.map(() => Number.POSITIVE_INFINITY);
  await works[0]();
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [i, work] of works.entries()) {
      const start = now();
      await work();
      best[i] = Math.min(best[i], now() - start);
    }
  }
  return best;
}

/** Opens the first layers of the model on a fresh backend, for the length of `use`. */
async function withLayers(file, layers, contextSize, use) {
  const backend = await wasmBackend({ threads: Number(options.threads), spawn: spawnEngineThread });
  const engine = await Engine.open(firstLayers(file, layers), { backend, contextSize });
  const session = await Session.open(engine);
  try {
    return await use(session, engine.model.hyper.vocabulary);
  } finally {
    session.close();
    engine.close();
    await backend.close();
  }
}

/** Runs tokens in chunks, each a sequence of its own. */
async function inChunks(session, tokens, size) {
  for (let at = 0; at < tokens.length; at += size) {
    session.rewind(0);
    await session.feed(tokens.slice(at, at + size));
  }
}

async function byTokens(file) {
  const counts = numbers(options.tokens);
  const longest = Math.max(...counts);
  return withLayers(file, Number(options.depth), longest, async (session, vocabulary) => {
    const tokens = tokensOf(longest, vocabulary);
    const run = (size) =>
      fastest(counts.map((count) => () => inChunks(session, tokens.slice(0, count), size)));
    const chunked = await run(CHUNK);
    const whole = await run(longest);
    return [
      { name: `chunks of ${CHUNK}`, points: counts.map((count, i) => [count, chunked[i]]) },
      { name: 'one context', points: counts.map((count, i) => [count, whole[i]]) },
    ];
  });
}

async function byLayers(file) {
  const points = [];
  for (const layers of numbers(options.layers)) {
    const [seconds] = await withLayers(file, layers, Number(options.at), (session, vocabulary) => {
      const tokens = tokensOf(Number(options.at), vocabulary);
      return fastest([() => inChunks(session, tokens, tokens.length)]);
    });
    points.push([layers, seconds]);
  }
  return [{ name: `${options.at} tokens`, points }];
}

/** Least squares: y = intercept + slope x, and the share of the variance that it explains. */
function fitLine(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sum = (term) => points.reduce((total, point) => total + term(point), 0);
  const slope = sum(([x, y]) => (x - mx) * (y - my)) / sum(([x]) => (x - mx) ** 2);
  const intercept = my - slope * mx;
  const rest = sum(([x, y]) => (y - intercept - slope * x) ** 2);
  return { slope, intercept, r2: 1 - rest / sum(([, y]) => (y - my) ** 2) };
}

/** Points and their fitted lines. @param x title of the axis. */
function panel(title, x, series) {
  const values = series.flatMap(({ name, points }) =>
    points.map(([at, seconds]) => ({ at, seconds, series: `${name}: R² ${fitLine(points).r2.toFixed(4)}` })),
  );
  const encoding = {
    x: { field: 'at', type: 'quantitative', title: x, scale: { zero: true } },
    y: { field: 'seconds', type: 'quantitative', title: options.clock === 'cpu' ? 'CPU seconds' : 'seconds' },
    color: {
      field: 'series',
      type: 'nominal',
      title: null,
      legend: { orient: 'bottom', direction: 'vertical', labelLimit: 0 },
    },
  };
  const fit = {
    transform: [{ regression: 'seconds', on: 'at', groupby: ['series'] }],
    mark: 'line',
    encoding,
  };
  return { title, width: 340, height: 260, data: { values }, layer: [fit, { mark: 'point', encoding }] };
}

function print(what, series) {
  for (const { name, points } of series) {
    console.log(`${what}, ${name}`);
    for (const [x, seconds] of points) {
      console.log(
        `${String(x).padStart(6)} ${seconds.toFixed(3).padStart(9)} s  ${((1000 * seconds) / x).toFixed(2)} ms each`,
      );
    }
    const { slope, intercept, r2 } = fitLine(points);
    console.log(
      `${(1000 * intercept).toFixed(1)} ms + ${(1000 * slope).toFixed(3)} ms each, R² ${r2.toFixed(5)}\n`,
    );
  }
}

const file = await openGguf(model);
const tokens = await byTokens(file);
print(`tokens through ${options.depth} layers`, tokens);
const layers = await byLayers(file);
print('layers', layers);
await file.close();
const panels = [
  panel(`Tokens through ${options.depth} layers`, 'tokens', tokens),
  panel('Layers', 'layers', layers),
];
writeFileSync(
  options.out,
  await renderSvg({ hconcat: panels, resolve: { scale: { color: 'independent' } } }),
);
console.log(options.out);
