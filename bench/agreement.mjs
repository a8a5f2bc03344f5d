/**
 * How close our logits are to llama.cpp's on the same files and tokens: perplexity of both, and the divergence of ours
 * from theirs. By default on SmolLM2-135M, widened, in every file type.
 *
 *   node bench/agreement.mjs [MODEL.gguf…] [--types F16,Q8_0,…] [--layout llama|phi3] [--chunks 20] [--threads 2] [--folder DIR]
 *     [--exact] [--no-repack] [--json]
 *
 * --no-repack keeps llama.cpp from its AMX kernels. --threads counts for both; llama.cpp's spin, so 1 is faster on a busy machine.
 *
 * llama.cpp rounds activations to 8 bits (16 for plain floats), ours to 12 with wider sums, so what divergence there is
 * is mostly its own: `--exact` puts llama.cpp on the same weights widened to F32 instead, where it rounds nothing.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { wasmBackend } from '../dist/backends/index.js';
import { measure, resample, summarize, windowsOf } from '../dist/evaluate/index.js';
import { Engine } from '../dist/generate/index.js';
import { openGguf, spawnEngineThread } from '../dist/platform/index.js';
import { tokenizerOf } from '../dist/text/index.js';
import { loadOracle } from './oracle.mjs';
import { peerBase } from './peer-base.mjs';
import { bitmill, filesOf, HELD_OUT, ownImatrix, widenedModel } from './smollm2.mjs';

const EVERY =
  'F32,F16,BF16,Q8_0,Q6_K,Q5_K_M,Q5_K_S,Q5_1,Q5_0,Q4_K_M,Q4_K_S,Q4_1,Q4_0,Q3_K_L,Q3_K_M,Q3_K_S,Q2_K,Q2_K_S,' +
  'IQ4_NL,IQ4_XS,IQ3_M,IQ3_S,IQ3_XS,IQ3_XXS,IQ2_M,IQ2_S,IQ2_XS,IQ2_XXS,IQ1_M,IQ1_S';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    types: { type: 'string', default: EVERY },
    layout: { type: 'string', default: 'llama' },
    chunks: { type: 'string', default: '20' },
    text: { type: 'string', default: HELD_OUT },
    folder: { type: 'string' },
    threads: { type: 'string', default: '2' },
    'no-repack': { type: 'boolean', default: false },
    exact: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const CONTEXT = 512;
const { Peer } = await loadOracle('llama.mjs');
const folder = values.folder ?? mkdtempSync(path.join(os.tmpdir(), 'bitmill-agreement-'));

/** Files to compare, by what they are called in the table. */
async function models() {
  if (positionals.length > 0) return new Map(positionals.map((file) => [path.basename(file), file]));
  const types = values.types.split(',');
  const model = await widenedModel(folder, values.layout);
  const needed = types.some((type) => !/^(B?F|Q8)/.test(type));
  const imatrix = needed ? ownImatrix(model, path.join(folder, 'imatrix.gguf'), 20) : undefined;
  return filesOf(model, folder, types, imatrix);
}

/** The same weights as F32. */
function widenedWeights(file) {
  const wide = path.join(folder, 'exact.gguf');
  bitmill(['dequantize', file, '-o', wide, '--dtype', 'f32']);
  return wide;
}

async function compare(file, backend) {
  const source = await openGguf(file);
  const tokenizer = tokenizerOf(source);
  const tokens = tokenizer.encode(readFileSync(values.text, 'utf8'), { bos: true });
  const settings = { contextSize: CONTEXT, stride: 0, bos: tokenizer.addBos ? tokenizer.bos : undefined };
  const windows = windowsOf(tokens, settings, values.text, Number(values.chunks));
  const theirs = values.exact ? widenedWeights(file) : file;
  const peer = Peer.open(theirs, {
    nCtx: CONTEXT,
    threads: Number(values.threads),
    kvType: 'F32',
    flashAttn: 'off',
  });
  const engine = await Engine.open(source, { backend, contextSize: CONTEXT, cacheType: 'f32' });
  try {
    const scores = await measure(engine, { windows, base: peerBase(peer, windows) });
    return summarize(scores, resample(windows.length));
  } finally {
    engine.close();
    peer.close();
    await source.close();
  }
}

const backend = await wasmBackend({ threads: Number(values.threads), spawn: spawnEngineThread });
const rows = [];
if (!values.json)
  console.log('type      PPL llama.cpp    PPL ours  ratio - 1   mean KL   KL 99.9 %  same top');
try {
  for (const [type, file] of await models()) {
    const { figures } = await compare(file, backend);
    const value = (name) => figures.get(name).value;
    const row = {
      type,
      peer_ppl: value('base_ppl'),
      ppl: value('ppl'),
      ratio: value('ppl_ratio'),
      kld_mean: value('kld_mean'),
      kld_p999: value('kld_p999'),
      same_top: value('same_top'),
    };
    rows.push(row);
    if (values.json) continue;
    const cells = [
      row.peer_ppl.toFixed(4).padStart(12),
      row.ppl.toFixed(4).padStart(10),
      `${(100 * (row.ratio - 1)).toFixed(4)} %`.padStart(10),
      row.kld_mean.toExponential(2).padStart(9),
      row.kld_p999.toExponential(2).padStart(10),
      `${(100 * row.same_top).toFixed(2)} %`.padStart(9),
    ];
    console.log(type.padEnd(10), cells.join('  '));
  }
} finally {
  await backend.close();
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
if (values.json) console.log(JSON.stringify(rows, null, 2));
