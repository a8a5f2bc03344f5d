/**
 * Encoding quality and speed beside llama.cpp's, one thread each, same rows, same importance, in one run.
 *
 *   node bench/encode.mjs [--formats Q4_K,IQ2_XS] [--efforts fast,best] [--rows 24] [--families gauss,heavy,minilm,smollm2]
 *                         [--seconds 0.5] [--no-importance] [--json]
 *
 * Per format and effort, over the row families: `err` our weighted error / theirs; `gain` ours and theirs;
 * `matched` our matched-gain error / theirs (quality.ts); `speed` our weights per second / theirs.
 * Below 1 is better for errors, above 1 for speed.
 */
import { parseArgs } from 'node:util';
import { decode, encode, FORMATS, quality } from '../dist/quants/index.js';
import { loadFamilies } from './families.mjs';
import { loadOracle } from './oracle.mjs';

const { values: options } = parseArgs({
  options: {
    formats: { type: 'string' },
    efforts: { type: 'string', default: 'fast,best' },
    rows: { type: 'string', default: '24' },
    families: { type: 'string', default: 'gauss,heavy,minilm,smollm2' },
    seconds: { type: 'string', default: '0.5' },
    'no-importance': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** Repeats `work` for about `seconds`; weights per second of the fastest repetition, and the result. */
function timed(work, weights, seconds) {
  let best = Number.POSITIVE_INFINITY;
  let result;
  const until = performance.now() + 1000 * seconds;
  do {
    const start = performance.now();
    result = work();
    best = Math.min(best, performance.now() - start);
  } while (performance.now() < until);
  return { result, rate: (1000 * weights) / best };
}

/** Both exact (rows that the format holds without loss) is a draw. */
function ratio(ours, theirs) {
  return ours === 0 && theirs === 0 ? 1 : ours / theirs;
}

function measure(oracle, name, effort, families, seconds) {
  const format = FORMATS[name];
  const rows = [];
  for (const { family, x, cols, importance } of families) {
    const weights = options['no-importance'] ? null : importance;
    if (weights === null && oracle.requiresImatrix(name)) continue;
    const ours = () => encode(format, x, cols, { importance: weights, effort });
    const theirs = () => oracle.quantize(name, x, x.length / cols, cols, weights);
    ours();
    theirs();
    const a = timed(ours, x.length, seconds);
    const b = timed(theirs, x.length, seconds);
    const qa = quality(x, decode(format, a.result, x.length), cols, weights);
    const qb = quality(x, decode(format, b.result, x.length), cols, weights);
    rows.push({
      format: name,
      effort,
      family,
      error_ratio: ratio(qa.error, qb.error),
      gain: qa.gain,
      peer_gain: qb.gain,
      matched_ratio: ratio(qa.matchedError, qb.matchedError),
      mweights_per_s: a.rate / 1e6,
      peer_mweights_per_s: b.rate / 1e6,
      speed_ratio: a.rate / b.rate,
    });
  }
  return rows;
}

const oracle = await loadOracle();
const names = options.formats
  ? options.formats.toUpperCase().split(',')
  : Object.values(FORMATS)
      .filter((f) => f.kind === 'quantized' && oracle.TYPES.includes(f.name) && (f.encode || f.kernel))
      .map((f) => f.name);
const families = await loadFamilies(options.families.split(','), Number(options.rows));
const all = [];
const f = (value, digits = 3) => value.toFixed(digits).padStart(8);
if (!options.json)
  console.log('format   effort family      err     gain  (peer)  matched   Mw/s   (peer)   speed');
for (const name of names) {
  for (const effort of options.efforts.split(',')) {
    for (const row of measure(oracle, name, effort, families, Number(options.seconds))) {
      all.push(row);
      if (options.json) continue;
      console.log(
        `${name.padEnd(8)} ${effort.padEnd(6)} ${row.family.padEnd(8)}${f(row.error_ratio)} ${f(row.gain)}${f(row.peer_gain)} ` +
          `${f(row.matched_ratio)} ${f(row.mweights_per_s, 1)}${f(row.peer_mweights_per_s, 1)} ${f(row.speed_ratio, 2)}`,
      );
    }
  }
}

/** Per effort: total time over all formats (mean of the families), ours / theirs. */
const totals = Object.fromEntries(
  options.efforts.split(',').map((effort) => {
    const mine = all.filter((row) => row.effort === effort);
    const sum = (key) => mine.reduce((total, row) => total + 1 / row[key], 0);
    return [effort, sum('mweights_per_s') / sum('peer_mweights_per_s')];
  }),
);
if (options.json) console.log(JSON.stringify({ rows: all, total_time_ratio: totals }, null, 2));
else
  console.log(
    `total time, ours / llama.cpp: ${Object.entries(totals)
      .map(([e, t]) => `${e} ${t.toFixed(2)}`)
      .join(', ')}`,
  );
