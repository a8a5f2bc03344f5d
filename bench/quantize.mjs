/**
 * Whole-file quantization beside llama.cpp's: wall time and peak resident memory of two child processes.
 *
 *   node bench/quantize.mjs MODEL.gguf --types Q4_K_M,IQ2_XS [--imatrix FILE] [--threads 2] [--effort fast] [--out DIR]
 *
 * Ours makes all types in one pass; the peer is run once per type and its times are added. Files go to --out
 * (default: a temporary folder, removed at the end). bf16 input: the peer converts it as it goes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT, run } from './child.mjs';

const ORACLE = process.env.BITMILL_ORACLE ?? path.join(ROOT, '..', 'shared', 'oracle');

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    types: { type: 'string', default: 'Q4_K_M' },
    imatrix: { type: 'string' },
    threads: { type: 'string', default: '2' },
    effort: { type: 'string', default: 'fast' },
    out: { type: 'string' },
    'no-peer': { type: 'boolean', default: false },
  },
});
const [model] = positionals;
if (!model) {
  console.error(
    'usage: node bench/quantize.mjs MODEL.gguf --types Q4_K_M,… [--imatrix FILE] [--threads N] [--effort fast|best]',
  );
  process.exit(2);
}

const out = values.out ?? mkdtempSync(path.join(os.tmpdir(), 'bitmill-bench-'));
const imatrix = values.imatrix ? ['--imatrix', path.resolve(values.imatrix)] : [];
try {
  const ours = await run([
    ...[
      'bin/bitmill.mjs',
      'quantize',
      path.resolve(model),
      '-o',
      path.join(out, 'ours'),
      '--types',
      values.types,
    ],
    ...['--threads', values.threads, '--effort', values.effort, '--json', ...imatrix],
  ]);
  console.log(
    `bitmill    ${ours.seconds.toFixed(1)} s, peak ${ours.peak.toFixed(0)} MiB, ${values.types} in one pass, ${values.effort}`,
  );
  if (!values['no-peer']) {
    const total = { seconds: 0, peak: 0 };
    for (const type of values.types.split(',')) {
      const script = `import { quantizeFile } from ${JSON.stringify(pathToFileURL(path.join(ORACLE, 'llama.mjs')).href)};
        quantizeFile(${JSON.stringify(path.resolve(model))}, ${JSON.stringify(path.join(out, 'peer.gguf'))}, '${type}', {
          threads: ${Number(values.threads)}, ${values.imatrix ? `imatrixFile: ${JSON.stringify(path.resolve(values.imatrix))}` : ''} });`;
      const peer = await run(['--input-type=module', '-e', script]);
      console.log(`llama.cpp  ${peer.seconds.toFixed(1)} s, peak ${peer.peak.toFixed(0)} MiB, ${type}`);
      total.seconds += peer.seconds;
      total.peak = Math.max(total.peak, peer.peak);
    }
    console.log(
      `ratio      time ${(ours.seconds / total.seconds).toFixed(2)}, peak memory ${(ours.peak / total.peak).toFixed(2)} (ours / llama.cpp)`,
    );
  }
} finally {
  if (!values.out) rmSync(out, { recursive: true, force: true });
}
