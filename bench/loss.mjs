/**
 * What the encoders' choices cost a model: whole files of the same types, ours and llama.cpp's, made with the same
 * importance matrix, by their KL divergence from the original on a held-out text; the engine is the judge of both.
 *
 *   node bench/loss.mjs MODEL.gguf --imatrix FILE --text FILE [--types IQ2_XXS,Q2_K] [--chunks 20] [--effort fast]
 *                       [--threads 2] [--pure] [--out DIR]
 *
 * Per type: mean KL divergence of ours and of llama.cpp's, each ± its standard error, their ratio (below 1: ours
 * loses less), and both perplexities. Files go to --out (default: a temporary folder, removed at the end).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadOracle } from './oracle.mjs';

const BITMILL = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const TYPES = 'IQ1_S,IQ1_M,IQ2_XXS,IQ2_XS,IQ2_S,IQ3_XXS,Q2_K';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    imatrix: { type: 'string' },
    text: { type: 'string' },
    types: { type: 'string', default: TYPES },
    chunks: { type: 'string', default: '20' },
    effort: { type: 'string', default: 'fast' },
    threads: { type: 'string', default: '2' },
    pure: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
});
const [model] = positionals;
if (!model || !values.imatrix || !values.text) {
  console.error(
    'usage: node bench/loss.mjs MODEL.gguf --imatrix FILE --text FILE [--types LIST] [--chunks N]',
  );
  process.exit(2);
}

/** Runs our program; what it prints on stdout. */
function bitmill(...args) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync(process.execPath, [BITMILL, ...args], { stdio, encoding: 'utf8', maxBuffer: 2 ** 28 });
}

function makeOurs(types, folder) {
  const options = ['--imatrix', values.imatrix, '--effort', values.effort, '--threads', values.threads];
  if (values.pure) options.push('--pure');
  bitmill('quantize', model, '-o', folder, '--types', types.join(','), '--name', 'ours', ...options);
}

async function makeTheirs(types, folder) {
  const { quantizeFile } = await loadOracle('llama.mjs');
  const options = { imatrixFile: values.imatrix, threads: Number(values.threads), pure: values.pure };
  for (const type of types) quantizeFile(model, path.join(folder, `theirs-${type}.gguf`), type, options);
}

/** Figures of every file of the folder by file name. */
function measure(folder, base) {
  const shared = ['--threads', values.threads, '--quiet'];
  const text = ['-f', values.text, '--chunks', values.chunks];
  bitmill('perplexity', '-m', model, ...text, '--save-kl-base', base, ...shared);
  const figures = JSON.parse(
    bitmill('perplexity', '--models', folder, '--kl-base', base, '--json', ...shared),
  );
  return new Map(figures.map((one) => [path.basename(one.model), one]));
}

const out = values.out ?? mkdtempSync(path.join(os.tmpdir(), 'bitmill-loss-'));
const types = values.types.toUpperCase().split(',');
const quants = path.join(out, 'quants');
mkdirSync(quants, { recursive: true });
try {
  makeOurs(types, quants);
  await makeTheirs(types, quants);
  const figures = measure(quants, path.join(out, 'base'));
  const cell = ({ kld_mean, kld_mean_se }) =>
    `${kld_mean.toFixed(4)} ± ${kld_mean_se.toFixed(4)}`.padStart(18);
  console.log('type      KL divergence, ours        llama.cpp   ratio    perplexity, ours / llama.cpp');
  for (const type of types) {
    const [ours, theirs] = ['ours', 'theirs'].map((who) => figures.get(`${who}-${type}.gguf`));
    const ratio = (ours.kld_mean / theirs.kld_mean).toFixed(3).padStart(7);
    console.log(
      `${type.padEnd(8)} ${cell(ours)} ${cell(theirs)} ${ratio}    ${ours.ppl.toFixed(2)} / ${theirs.ppl.toFixed(2)}`,
    );
  }
} finally {
  if (!values.out) rmSync(out, { recursive: true, force: true });
}
