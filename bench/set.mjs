/**
 * A set made by `bitmill make`, judged by llama.cpp: every file is loaded there, and the loss that bitmill.json tells is
 * measured again from llama.cpp's own logits of file and original, on the same tokens.
 *
 *   node bench/set.mjs DIR --text TEXT [--original FILE] [--threads 2] [--exact]
 *
 * The set must have been made with --eval-text TEXT. llama.cpp rounds activations to 8 bits where weights are quantized,
 * which costs a divergence of its own (some 0.003 to 0.02 on a model of 135 M); --exact has it compute with the same
 * weights widened to F32 instead, where it rounds nothing: there the numbers must be equal. Exit code 6 if a file does not
 * load, or if with --exact a mean divergence differs by more than 2 % and 1e-4.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { windowsOf } from '../dist/evaluate/index.js';
import { openGguf } from '../dist/platform/index.js';
import { tokenizerOf } from '../dist/text/index.js';
import { ROOT } from './child.mjs';
import { loadOracle } from './oracle.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    text: { type: 'string' },
    original: { type: 'string' },
    threads: { type: 'string', default: '2' },
    exact: { type: 'boolean', default: false },
  },
});
const [folder] = positionals;
if (!folder || !values.text) {
  console.error('usage: node bench/set.mjs DIR --text TEXT [--original FILE] [--threads N] [--exact]');
  process.exit(2);
}
const set = JSON.parse(readFileSync(path.join(folder, 'bitmill.json'), 'utf8'));
const original = values.original ?? path.join(folder, set.model.files[0].name);
const { Peer } = await loadOracle('llama.mjs');
const work = mkdtempSync(path.join(os.tmpdir(), 'bitmill-set-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

async function evaluationWindows() {
  const file = await openGguf(original);
  const tokenizer = tokenizerOf(file);
  const { parseSpecial, contextSize, chunks } = set.evaluation;
  const tokens = tokenizer.encode(readFileSync(values.text, 'utf8'), { bos: true, special: parseSpecial });
  const settings = { contextSize, stride: 0, bos: tokenizer.addBos ? tokenizer.bos : undefined };
  await file.close();
  return windowsOf(tokens, settings, values.text, chunks);
}

/** Log-probabilities of the scored rows of a window, row-major. */
function scoredLogProbs(peer, { input, rows }) {
  const width = peer.vocabSize;
  const logits = peer.logits(input).slice(rows.from * width, rows.to * width);
  for (let at = 0; at < logits.length; at += width) {
    const row = logits.subarray(at, at + width);
    let top = Number.NEGATIVE_INFINITY;
    for (const value of row) if (value > top) top = value;
    let sum = 0;
    for (const value of row) sum += Math.exp(value - top);
    const norm = top + Math.log(sum);
    for (let i = 0; i < width; i++) row[i] -= norm;
  }
  return logits;
}

/** Opens a file in llama.cpp and reads the log-probabilities of every window. */
function judge(file, windows) {
  const options = {
    nCtx: set.evaluation.contextSize,
    threads: Number(values.threads),
    kvType: 'F32',
    flashAttn: 'off',
  };
  const peer = Peer.open(file, options);
  try {
    return windows.map((window) => scoredLogProbs(peer, window));
  } finally {
    peer.close();
  }
}

/** The same weights as F32. */
function widened(file) {
  const wide = path.join(work, 'exact.gguf');
  execFileSync(
    process.execPath,
    ['bin/bitmill.mjs', 'dequantize', path.resolve(file), '-o', wide, '--dtype', 'f32'],
    {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return wide;
}

function losses(windows, base, own) {
  const width = base[0].length / windows[0].targets.length;
  let [divergence, nll, count] = [0, 0, 0];
  windows.forEach(({ targets }, w) => {
    targets.forEach((target, row) => {
      const at = row * width;
      nll -= own[w][at + target];
      for (let i = at; i < at + width; i++) divergence += Math.exp(base[w][i]) * (base[w][i] - own[w][i]);
      count++;
    });
  });
  return { kld: divergence / count, ppl: Math.exp(nll / count) };
}

const windows = await evaluationWindows();
const base = judge(original, windows);
const { ppl } = losses(windows, base, base);
console.log(
  `${set.model.name}: ${windows.length} chunks; the original's perplexity ${set.evaluation.figures.ppl.toFixed(4)} here, ${ppl.toFixed(4)} in llama.cpp`,
);
console.log('type        mean KL here  in llama.cpp      ratio   perplexity here  in llama.cpp');
let wrong = 0;
for (const { type, files, figures } of set.quants) {
  const file = path.join(folder, files[0].name);
  const theirs = losses(windows, base, judge(values.exact ? widened(file) : file, windows));
  const off = Math.abs(theirs.kld - figures.kld_mean);
  const bad = values.exact && off > 1e-4 && off > 0.02 * theirs.kld;
  if (bad) wrong++;
  const cells = [
    figures.kld_mean.toFixed(5).padStart(12),
    theirs.kld.toFixed(5).padStart(13),
    (figures.kld_mean / theirs.kld).toFixed(4).padStart(10),
    figures.ppl.toFixed(4).padStart(17),
    theirs.ppl.toFixed(4).padStart(13),
  ];
  console.log(`${type.padEnd(10)}${cells.join(' ')}${bad ? '  differs' : ''}`);
}
console.log(`${set.quants.length} files loaded in llama.cpp${values.exact ? ', as widened weights' : ''}`);
process.exitCode = wrong > 0 ? 6 : 0;
