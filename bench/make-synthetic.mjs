/**
 * Writes a GGUF of Phi-3-mini's true shapes with synthetic heavy-tailed bf16 weights, for benchmarks of size:
 *
 *   node bench/make-synthetic.mjs OUT.gguf [--layers 32] [--type BF16] [--imatrix OUT.imatrix.gguf]
 *                                 [--vocabulary VOCABULARY.gguf]
 *
 * Full size (32 layers) is 3.82 G weights, 7.1 GiB. Rows are slices of one pool of Student-t(5) numbers at
 * seeded offsets, so the file is written at disk speed and is the same every time. Its tokenizer is that of the file named
 * with --vocabulary (a GGUF with the 32064 tokens of Phi-3, no tensors needed); without, it has none. With --type the tensors
 * get the formats of that file type's recipe, from a few hundred encoded rows each: minutes of encoding saved, for
 * benchmarks of speed.
 */
import { parseArgs } from 'node:util';
import { f32, layoutGguf, str, strings, u32 } from '../dist/gguf/index.js';
import { openGguf, writeAtomically } from '../dist/platform/index.js';
import { chooseFormat, FILE_TYPES, fitRows, placeTensors, RECIPE_SETS } from '../dist/quantize/index.js';
import { encode, FORMATS, formatBytes } from '../dist/quants/index.js';
import { importanceOf, studentT, uniform } from './families.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    layers: { type: 'string', default: '32' },
    type: { type: 'string', default: 'BF16' },
    imatrix: { type: 'string' },
    vocabulary: { type: 'string' },
  },
});
const [out] = positionals;
if (!out) {
  console.error(
    'usage: node bench/make-synthetic.mjs OUT.gguf [--layers 32] [--imatrix FILE] [--vocabulary FILE]',
  );
  process.exit(2);
}

const EMBEDDING = 3072;
const FEED_FORWARD = 8192;
const VOCABULARY = 32064;
const POOL = 1 << 23;
const layers = Number(values.layers);

const matrix = (name, cols, rows) => ({ name, format: FORMATS.BF16, shape: [cols, rows] });
const vector = (name, n) => ({ name, format: FORMATS.F32, shape: [n] });
const specs = [
  matrix('token_embd.weight', EMBEDDING, VOCABULARY),
  vector('output_norm.weight', EMBEDDING),
  matrix('output.weight', EMBEDDING, VOCABULARY),
];
for (let i = 0; i < layers; i++) {
  specs.push(
    vector(`blk.${i}.attn_norm.weight`, EMBEDDING),
    vector(`blk.${i}.ffn_norm.weight`, EMBEDDING),
    matrix(`blk.${i}.attn_qkv.weight`, EMBEDDING, 3 * EMBEDDING),
    matrix(`blk.${i}.attn_output.weight`, EMBEDDING, EMBEDDING),
    matrix(`blk.${i}.ffn_up.weight`, EMBEDDING, 2 * FEED_FORWARD),
    matrix(`blk.${i}.ffn_down.weight`, FEED_FORWARD, EMBEDDING),
  );
}

/** Tensors in the formats of the file type's recipe. */
function inFormats(type) {
  const facts = { architecture: 'phi3', layers, gqa: 1, experts: 0 };
  const placed = placeTensors(RECIPE_SETS[0], facts, specs);
  return specs.map((spec) => {
    if (spec.format === FORMATS.F32 || FILE_TYPES[type].group === 'float') {
      return spec.format === FORMATS.F32 ? spec : { ...spec, format: FORMATS[FILE_TYPES[type].format] };
    }
    const chosen = chooseFormat(RECIPE_SETS[0], type, facts, placed.get(spec.name), true);
    return { ...spec, format: FORMATS[fitRows(RECIPE_SETS[0], chosen, spec.shape[0])] };
  });
}

const tensors = inFormats(values.type);

const metadata = new Map([
  ['general.architecture', str('phi3')],
  ['general.type', str('model')],
  ['general.name', str('Phi-3 mini, synthetic')],
  ['phi3.context_length', u32(4096)],
  ['phi3.rope.scaling.original_context_length', u32(4096)],
  ['phi3.embedding_length', u32(EMBEDDING)],
  ['phi3.feed_forward_length', u32(FEED_FORWARD)],
  ['phi3.block_count', u32(layers)],
  ['phi3.attention.head_count', u32(32)],
  ['phi3.attention.head_count_kv', u32(32)],
  ['phi3.attention.layer_norm_rms_epsilon', f32(1e-5)],
  ['phi3.rope.dimension_count', u32(96)],
  ['phi3.rope.freq_base', f32(10000)],
  ['general.file_type', u32(FILE_TYPES[values.type].id)],
  ['phi3.attention.sliding_window', u32(2047)],
  ['general.quantization_version', u32(2)],
  ['phi3.vocab_size', u32(VOCABULARY)],
]);
if (values.vocabulary) {
  const file = await openGguf(values.vocabulary);
  for (const [key, value] of file.metadata) if (key.startsWith('tokenizer.')) metadata.set(key, value);
  await file.close();
} else {
  // llama.cpp asks for a vocabulary, or to be told that there is none.
  metadata.set('tokenizer.ggml.model', str('no_vocab'));
}

/** Rows that are encoded for each format and row length, where encoding takes its time. */
const ENCODED_ROWS = 256;

const next = studentT(1);
const pool = Float32Array.from({ length: POOL }, () => 0.02 * next());
const pools = new Map();

/** Bytes to cut rows from, and in which steps rows may begin: anywhere in floats, else at encoded rows. */
function poolOf(format, cols) {
  const key = format.kind === 'float' ? format.name : `${format.name} ${cols}`;
  if (!pools.has(key)) {
    const rows = format.kind === 'float' ? 1 : ENCODED_ROWS;
    const weights = format.kind === 'float' ? pool : pool.subarray(0, rows * cols);
    const bytes = encode(format, weights, weights.length / rows, {
      importance: format.requiresImportance ? importanceOf(weights.length / rows, 1, 0.8, 0.002) : null,
      effort: 'fast',
    });
    pools.set(key, { bytes, step: format.kind === 'float' ? format.blockBytes : formatBytes(format, cols) });
  }
  return pools.get(key);
}

/** Rows of `cols` weights cut from the pool at seeded places. */
function rowsFrom({ format, shape: [cols] }, random, rows) {
  const { bytes, step } = poolOf(format, cols);
  const rowBytes = formatBytes(format, cols);
  const places = Math.floor((bytes.length - rowBytes) / step) + 1;
  const out = new Uint8Array(rowBytes * rows);
  for (let row = 0; row < rows; row++) {
    const at = step * Math.floor(random() * places);
    out.set(bytes.subarray(at, at + rowBytes), rowBytes * row);
  }
  return out;
}

const layout = layoutGguf({ metadata, tensors });
await writeAtomically(out, async (sink) => {
  await sink.write(0, layout.header);
  for (const [index, spec] of tensors.entries()) {
    const random = uniform(index + 1);
    const [cols, rows = 1] = spec.shape;
    if (rows === 1) {
      await sink.write(layout.offsets[index], new Uint8Array(new Float32Array(cols).fill(1).buffer));
      continue;
    }
    for (let row = 0; row < rows; row += 1024) {
      await sink.write(
        layout.offsets[index] + formatBytes(spec.format, cols) * row,
        rowsFrom(spec, random, Math.min(1024, rows - row)),
      );
    }
  }
  await sink.write(layout.size - 1, new Uint8Array(1));
});
console.log(`${out}: ${layers} layers, ${(layout.size / 2 ** 30).toFixed(2)} GiB`);

if (values.imatrix) {
  const sums = [];
  const data = [];
  for (const { name, shape } of specs.filter(
    (spec) => spec.name.startsWith('blk.') && spec.shape.length === 2,
  )) {
    sums.push({ name: `${name}.in_sum2`, format: FORMATS.F32, shape: [shape[0], 1] });
    data.push(importanceOf(shape[0], sums.length, 0.8, 0.002).map((value) => 512 * value));
    sums.push({ name: `${name}.counts`, format: FORMATS.F32, shape: [1, 1] });
    data.push(Float32Array.of(512));
  }
  const keys = new Map([
    ['general.type', str('imatrix')],
    ['imatrix.datasets', strings(['synthetic'])],
    ['imatrix.chunk_count', u32(1)],
    ['imatrix.chunk_size', u32(512)],
  ]);
  const plan = layoutGguf({ metadata: keys, tensors: sums });
  await writeAtomically(values.imatrix, async (sink) => {
    await sink.write(0, plan.header);
    for (const [i, values_] of data.entries())
      await sink.write(plan.offsets[i], new Uint8Array(values_.buffer));
    await sink.write(plan.size - 1, new Uint8Array(1));
  });
  console.log(`${values.imatrix}: ${sums.length / 2} entries`);
}
