/**
 * What an importance matrix is worth: SmolLM2-135M (widened, bench/smollm2.mjs) in file types of few bits, with ours and
 * without one, measured against the F32 model on text that the matrix has not seen.
 *
 *   node bench/effect.mjs [--types IQ2_XS,…] [--calibration-chunks 40] [--chunks 20] [--effort fast|best] [--folder DIR] [--json]
 *
 * Types that refuse to do without a matrix get one of equal values instead. Differences are paired: the same tokens, the
 * same bootstrap samples of whole chunks.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bitmill, flatImatrix, HELD_OUT, ownImatrix, widenedModel } from './smollm2.mjs';

const { values } = parseArgs({
  options: {
    types: { type: 'string', default: 'IQ2_XS,IQ3_XXS,Q2_K,Q4_K_M' },
    'calibration-chunks': { type: 'string', default: '40' },
    chunks: { type: 'string', default: '20' },
    effort: { type: 'string', default: 'fast' },
    folder: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** Types that are refused without a matrix, here or in llama.cpp. */
const NEEDY = /^(IQ[12]|IQ3_XXS|Q2_K_S)/;

const folder = values.folder ?? mkdtempSync(path.join(os.tmpdir(), 'bitmill-effect-'));
const quants = path.join(folder, 'quants');
mkdirSync(quants, { recursive: true });

function quantize(model, name, types, imatrix) {
  if (types.length === 0) return;
  const args = ['quantize', model, '-o', quants, '--types', types.join(','), '--name', name];
  bitmill([...args, '--effort', values.effort, ...(imatrix ? ['--imatrix', imatrix] : [])]);
}

/** Measurements of both versions of a type, out of the table by size, where they are neighbours unless another is between. */
function pairOf(rows, type) {
  const isOf = (name) => (model) => path.basename(model) === `${name}-${type}.gguf`;
  const find = (name) => rows.find(({ model }) => isOf(name)(model));
  const [plain, matrix] = [find('plain'), find('imatrix')];
  // The table has the smaller minus the larger.
  const forwards = matrix.next && isOf('plain')(matrix.next.model) ? matrix.next.kld_mean.ci : undefined;
  const backwards = plain.next && isOf('imatrix')(plain.next.model) ? plain.next.kld_mean.ci : undefined;
  const interval = forwards ?? backwards?.map((end) => -end).reverse();
  return { type, bits: matrix.bits_per_weight, plain, matrix, interval };
}

function line({ type, bits, plain, matrix, interval }) {
  const show = (row, name, digits) => `${row[name].toFixed(digits)} ± ${row[`${name}_se`].toFixed(digits)}`;
  return [
    type.padEnd(8),
    bits.toFixed(2).padStart(5),
    show(plain, 'ppl', 3).padStart(19),
    show(matrix, 'ppl', 3).padStart(19),
    show(plain, 'kld_mean', 4).padStart(17),
    show(matrix, 'kld_mean', 4).padStart(17),
    (interval?.map((end) => end.toFixed(4)).join(' to ') ?? '').padStart(20),
  ].join('  ');
}

try {
  const model = await widenedModel(folder);
  const imatrix = ownImatrix(model, path.join(folder, 'imatrix.gguf'), values['calibration-chunks']);
  const flat = await flatImatrix(model, path.join(folder, 'flat.gguf'));
  const types = values.types.split(',');
  quantize(model, 'imatrix', types, imatrix);
  quantize(
    model,
    'plain',
    types.filter((type) => NEEDY.test(type)),
    flat,
  );
  quantize(
    model,
    'plain',
    types.filter((type) => !NEEDY.test(type)),
  );
  const base = path.join(folder, 'base.gguf');
  const text = ['-f', HELD_OUT, '--chunks', values.chunks];
  const original = JSON.parse(
    bitmill(['perplexity', '-m', model, ...text, '--save-kl-base', base, '--json']),
  );
  const rows = JSON.parse(bitmill(['perplexity', '--models', quants, '--kl-base', base, '--json']));
  if (values.json) console.log(JSON.stringify({ original, rows }, null, 2));
  else {
    console.log(
      `original: perplexity ${original.ppl.toFixed(3)} ± ${original.ppl_se.toFixed(3)}, ${original.chunks} chunks`,
    );
    console.log(
      'type       bits          PPL without             PPL with         KL without            KL with  with - without (95 %)',
    );
    for (const type of types) console.log(line(pairOf(rows, type)));
  }
} finally {
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}
