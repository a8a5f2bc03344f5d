/**
 * Speed of the expand kernels, one thread: weights and bytes of the format per second, best of several runs over rows
 * that stay in cache (what bounds is the arithmetic, not the memory).
 *
 *   node bench/expand.mjs [--formats Q4_K,IQ2_XS] [--weights 12288] [--seconds 0.2] [--json]
 */
import { parseArgs } from 'node:util';
import { testEngine } from '../dist/backends/wasm/testing.js';
import { FORMATS } from '../dist/quants/index.js';

const { values: options } = parseArgs({
  options: {
    formats: { type: 'string' },
    weights: { type: 'string', default: '12288' },
    seconds: { type: 'string', default: '0.2' },
    json: { type: 'boolean', default: false },
  },
});

/** Seconds of the fastest of many calls in about `seconds`, each call `repeats` times the work. */
function fastest(work, repeats, seconds) {
  let best = Number.POSITIVE_INFINITY;
  const until = performance.now() + 1000 * seconds;
  do {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) work();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < until);
  return best / 1000 / repeats;
}

function measure(format, weights, seconds) {
  const engine = testEngine();
  const blocks = weights / format.blockSize;
  const bytes = blocks * format.blockBytes;
  const src = engine.alloc(bytes);
  const codes = engine.alloc(2 * weights);
  const scales = engine.alloc((8 * weights) / format.plane.group);
  const mins = engine.alloc(weights / 8);
  new Uint8Array(engine.memory.buffer, src, bytes).forEach((_, i, all) => {
    all[i] = Math.imul(i + 1, 2654435761) >>> 24;
  });
  const kernel = engine.kernel(`${format.name.toLowerCase()}_expand`);
  const work = () => kernel(src, blocks, codes, scales, mins);
  fastest(work, 100, 0.05);
  const time = fastest(work, 100, seconds);
  return { format: format.name, gweights_per_s: weights / time / 1e9, gbytes_per_s: bytes / time / 1e9 };
}

const formats = (options.formats?.toUpperCase().split(',') ?? Object.keys(FORMATS))
  .map((name) => FORMATS[name])
  .filter((format) => format?.plane);
const rows = formats.map((format) => measure(format, Number(options.weights), Number(options.seconds)));
if (options.json) console.log(JSON.stringify(rows, null, 2));
else {
  console.log('format    Gweights/s   GB/s');
  for (const row of rows) {
    console.log(
      `${row.format.padEnd(8)} ${row.gweights_per_s.toFixed(2).padStart(11)} ${row.gbytes_per_s.toFixed(2).padStart(6)}`,
    );
  }
}
