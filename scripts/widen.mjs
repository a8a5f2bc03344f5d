/**
 * Rewrites a small Llama-style GGUF so that every tensor format applies to it, without changing what it computes.
 *
 *   node scripts/widen.mjs SOURCE TARGET [--layout llama|phi3] [--dtype F32|F16|BF16]
 *
 * K- and IQ-formats want rows of whole blocks of 256 weights; SmolLM2-135M's are 576 wide. The hidden width is padded
 * with zeros to a multiple of 256, and heads of zero weights are added until q, k and v are such multiples, too. A
 * norm over padded rows divides by the root of a mean over more columns, so its weights are multiplied by
 * sqrt(old / new) and its epsilon by old / new. Logits stay equal up to float rounding.
 * `phi3` fuses q, k, v and gate, up, and takes the interleaving of q's and k's rows back (rope style `neox`).
 */
import { parseArgs } from 'node:util';
import { f32, getNumber, getString, layoutGguf, needNumber, str, u32 } from '../dist/gguf/index.js';
import { openGguf, writeAtomically } from '../dist/platform/index.js';
import { decode, encode, FORMATS } from '../dist/quants/index.js';

/** Weights of the largest block: what row lengths are padded to a multiple of. */
const BLOCK = 256;

/** `general.file_type` of a file by its matrices' type. */
const FILE_TYPES = { F32: 0, F16: 1, BF16: 32 };

/** E width, H heads, K key-value heads, D head size, F feed-forward width, V vocabulary, L layers. */
function readSizes({ metadata, name, find }) {
  const number = (key) => needNumber(metadata, `llama.${key}`, name);
  const [E, H] = [number('embedding_length'), number('attention.head_count')];
  const K = getNumber(metadata, 'llama.attention.head_count_kv', name) ?? H;
  const D = getNumber(metadata, 'llama.attention.key_length', name) ?? E / H;
  const V = find('token_embd.weight').shape[1];
  return { E, H, K, D, V, F: number('feed_forward_length'), L: number('block_count') };
}

/** The padded sizes: as many heads a key-value head as before. */
function padSizes(sizes) {
  const { E, H, K, D, F } = sizes;
  if (F % BLOCK !== 0) throw new Error(`feed_forward_length ${F} is no multiple of ${BLOCK}`);
  let kvHeads = K;
  while ((kvHeads * D) % BLOCK !== 0) kvHeads++;
  return { ...sizes, E: Math.ceil(E / BLOCK) * BLOCK, H: (kvHeads * H) / K, K: kvHeads };
}

/** A matrix with zeros added below and to the right. */
function pad(values, [cols, rows], [newCols, newRows]) {
  const out = new Float32Array(newCols * newRows);
  for (let r = 0; r < rows; r++) out.set(values.subarray(r * cols, (r + 1) * cols), r * newCols);
  return out;
}

/** Rows of heads from llama.cpp's interleaving (0, D/2, 1, D/2 + 1, …) to halves (0, 1, …). */
function toHalves(values, cols, size) {
  const out = new Float32Array(values.length);
  for (let r = 0; r < values.length / cols; r++) {
    const [head, i] = [Math.floor(r / size), r % size];
    const to = head * size + (i % 2) * (size / 2) + Math.floor(i / 2);
    out.set(values.subarray(r * cols, (r + 1) * cols), to * cols);
  }
  return out;
}

/** Matrices one below the other. */
function stack(parts) {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Padded shapes of a layer's matrices, row length first: name -> old and new. */
function layerShapes({ E, H, K, D, F }) {
  return {
    attn_q: [E, H * D],
    attn_k: [E, K * D],
    attn_v: [E, K * D],
    attn_output: [H * D, E],
    ffn_gate: [E, F],
    ffn_up: [E, F],
    ffn_down: [F, E],
  };
}

/** Tensors of the new file, in order, each with a function that yields its values. */
function planTensors(file, layout, old, wide) {
  const read = async (name) => {
    const tensor = file.find(name);
    return decode(tensor.format, await file.read(tensor), tensor.weights);
  };
  const scale = Math.sqrt(old.E / wide.E);
  const norm = (name) => ({
    name,
    shape: [wide.E],
    values: async () =>
      pad(
        (await read(name)).map((value) => value * scale),
        [old.E, 1],
        [wide.E, 1],
      ),
  });
  const [from, to] = [layerShapes(old), layerShapes(wide)];
  const padded = async (prefix, part) => pad(await read(`${prefix}.${part}.weight`), from[part], to[part]);
  const halves = async (prefix, part) => toHalves(await padded(prefix, part), wide.E, wide.D);
  const matrix = (prefix, part) => ({
    name: `${prefix}.${part}.weight`,
    shape: to[part],
    values: () => padded(prefix, part),
  });
  const fused = (name, parts, values) => ({
    name,
    shape: [wide.E, parts.reduce((sum, part) => sum + to[part][1], 0)],
    values: async () => stack(await values()),
  });
  const outer = (name) => ({
    name,
    shape: [wide.E, wide.V],
    values: async () => pad(await read(name), [old.E, old.V], [wide.E, wide.V]),
  });
  const layer = {
    llama: (p) => ['attn_q', 'attn_k', 'attn_v', 'ffn_gate', 'ffn_up'].map((part) => matrix(p, part)),
    phi3: (p) => [
      fused(`${p}.attn_qkv.weight`, ['attn_q', 'attn_k', 'attn_v'], () =>
        Promise.all([halves(p, 'attn_q'), halves(p, 'attn_k'), padded(p, 'attn_v')]),
      ),
      fused(`${p}.ffn_up.weight`, ['ffn_gate', 'ffn_up'], () =>
        Promise.all([padded(p, 'ffn_gate'), padded(p, 'ffn_up')]),
      ),
    ],
  }[layout];
  const blocks = Array.from({ length: old.L }, (_, i) => `blk.${i}`).flatMap((p) => [
    norm(`${p}.attn_norm.weight`),
    norm(`${p}.ffn_norm.weight`),
    ...layer(p),
    matrix(p, 'attn_output'),
    matrix(p, 'ffn_down'),
  ]);
  const head = file.find('output.weight') ? [outer('output.weight')] : [];
  return [outer('token_embd.weight'), norm('output_norm.weight'), ...head, ...blocks];
}

/** Metadata of the new file: sizes, epsilon and name of the architecture changed, the rest kept. */
function planMetadata({ metadata, name }, layout, dtype, old, wide) {
  const epsilon = needNumber(metadata, 'llama.attention.layer_norm_rms_epsilon', name);
  const changed = {
    'general.architecture': str(layout),
    'general.file_type': u32(FILE_TYPES[dtype]),
    'llama.embedding_length': u32(wide.E),
    'llama.attention.head_count': u32(wide.H),
    'llama.attention.head_count_kv': u32(wide.K),
    'llama.attention.key_length': u32(wide.D),
    'llama.attention.value_length': u32(wide.D),
    'llama.attention.layer_norm_rms_epsilon': f32((epsilon * old.E) / wide.E),
    'llama.rope.dimension_count': u32(wide.D),
  };
  const merged = new Map([...metadata, ...Object.entries(changed)]);
  return new Map([...merged].map(([key, value]) => [key.replace(/^llama\./, `${layout}.`), value]));
}

/** Writes the widened model. @throws Error: the source is not of architecture llama, or has another layout. */
export async function widen(source, target, { layout = 'llama', dtype = 'F32' } = {}) {
  const file = await openGguf(source);
  const architecture = getString(file.metadata, 'general.architecture', file.name);
  if (architecture !== 'llama') throw new Error(`${source}: architecture ${architecture}, llama is wanted`);
  const old = readSizes(file);
  const wide = padSizes(old);
  const tensors = planTensors(file, layout, old, wide).map((tensor) => ({
    ...tensor,
    format: tensor.shape.length === 1 ? FORMATS.F32 : FORMATS[dtype],
  }));
  const metadata = planMetadata(file, layout, dtype, old, wide);
  const { header, offsets } = layoutGguf({ metadata, tensors });
  await writeAtomically(target, async (sink) => {
    await sink.write(0, header);
    for (const [i, { values, format, shape }] of tensors.entries()) {
      await sink.write(offsets[i], encode(format, await values(), shape[0]));
    }
  });
  await file.close();
}

if (process.argv[1] && import.meta.url.endsWith('/widen.mjs') && process.argv[1].endsWith('widen.mjs')) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      layout: { type: 'string', default: 'llama' },
      dtype: { type: 'string', default: 'F32' },
    },
  });
  if (positionals.length !== 2 || !(values.dtype in FILE_TYPES) || !/^(llama|phi3)$/.test(values.layout)) {
    console.error('usage: node scripts/widen.mjs SOURCE TARGET [--layout llama|phi3] [--dtype F32|F16|BF16]');
    process.exit(2);
  }
  await widen(positionals[0], positionals[1], values);
}
