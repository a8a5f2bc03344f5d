/**
 * A small Phi-3-shaped checkpoint with seeded heavy-tailed random weights, for `bitmill demo`: it shows every step on
 * real files within seconds and without a download. It is the shape of a language model, not one: it cannot talk.
 */
import path from 'node:path';
import { f32ToBf16 } from '../core/index.ts';
import { layoutSafetensors, type SafetensorsSpec, SINGLE_FILE } from '../hf/index.ts';
import { writeAtomically } from '../platform/index.ts';

const HIDDEN = 512;
const FEED_FORWARD = 1536;
const LAYERS = 4;
const HEADS = 8;
/** Bytes, three special tokens and the printable characters as pieces of their own. */
const CHARACTERS = ['▁', ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))];
const SPECIAL = ['<unk>', '<s>', '</s>'];
const CHAT = ['<|endoftext|>', '<|assistant|>', '<|end|>', '<|user|>', '<|system|>'];
const VOCABULARY = 512;

const config = {
  architectures: ['Phi3ForCausalLM'],
  model_type: 'phi3',
  hidden_size: HIDDEN,
  intermediate_size: FEED_FORWARD,
  num_hidden_layers: LAYERS,
  num_attention_heads: HEADS,
  num_key_value_heads: HEADS,
  max_position_embeddings: 4096,
  original_max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  rope_scaling: null,
  sliding_window: 2047,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  vocab_size: VOCABULARY,
  bos_token_id: 1,
  eos_token_id: 354,
  pad_token_id: 354,
};

function tokenizer(): Record<string, unknown> {
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const pieces = [...SPECIAL, ...bytes, ...CHARACTERS];
  const added = [
    ...SPECIAL.map((content, id) => ({ content, id })),
    ...CHAT.map((content, i) => ({ content, id: pieces.length + i })),
  ];
  return {
    version: '1.0',
    added_tokens: added.map(({ content, id }) => ({
      ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: id > 2, normalized: false },
    })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    decoder: null,
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges: [],
    },
  };
}

const tokenizerConfig = {
  add_bos_token: true,
  add_eos_token: false,
  bos_token: '<s>',
  eos_token: '<|endoftext|>',
  pad_token: '<|endoftext|>',
  unk_token: '<unk>',
  tokenizer_class: 'LlamaTokenizer',
  chat_template:
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}<|assistant|>\n",
};

const matrix = (name: string, rows: number, cols: number): SafetensorsSpec => ({
  name,
  dtype: 'BF16',
  shape: [rows, cols],
});
const vector = (name: string): SafetensorsSpec => ({ name, dtype: 'BF16', shape: [HIDDEN] });

function tensors(): SafetensorsSpec[] {
  const layer = (i: number) => [
    vector(`model.layers.${i}.input_layernorm.weight`),
    matrix(`model.layers.${i}.self_attn.qkv_proj.weight`, 3 * HIDDEN, HIDDEN),
    matrix(`model.layers.${i}.self_attn.o_proj.weight`, HIDDEN, HIDDEN),
    vector(`model.layers.${i}.post_attention_layernorm.weight`),
    matrix(`model.layers.${i}.mlp.gate_up_proj.weight`, 2 * FEED_FORWARD, HIDDEN),
    matrix(`model.layers.${i}.mlp.down_proj.weight`, HIDDEN, FEED_FORWARD),
  ];
  return [
    matrix('model.embed_tokens.weight', VOCABULARY, HIDDEN),
    ...Array.from({ length: LAYERS }, (_, i) => layer(i)).flat(),
    vector('model.norm.weight'),
    matrix('lm_head.weight', VOCABULARY, HIDDEN),
  ];
}

/** Seeded numbers near a Student-t distribution with 5 degrees of freedom, by mixing normals of random width. */
function heavyTailed(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return () => {
    let chi = 0;
    for (let i = 0; i < 5; i++) chi += normal() ** 2;
    return normal() / Math.sqrt(chi / 5);
  };
}

function weights(spec: SafetensorsSpec, seed: number): Uint8Array {
  const count = spec.shape.reduce((product, n) => product * n, 1);
  const next = heavyTailed(seed);
  const isNorm = spec.shape.length === 1;
  return new Uint8Array(
    Uint16Array.from({ length: count }, () => f32ToBf16(isNorm ? 1 : 0.02 * next())).buffer,
  );
}

/** Writes the checkpoint into a folder: config.json, tokenizer files, model.safetensors. */
export async function writeDemoCheckpoint(folder: string): Promise<void> {
  const json = (file: string, value: unknown) =>
    writeAtomically(path.join(folder, file), (sink) =>
      sink.write(0, new TextEncoder().encode(JSON.stringify(value, null, 2))),
    );
  await json('config.json', config);
  await json('tokenizer.json', tokenizer());
  await json('tokenizer_config.json', tokenizerConfig);
  const specs = tensors();
  const layout = layoutSafetensors(specs);
  await writeAtomically(path.join(folder, SINGLE_FILE), async (sink) => {
    await sink.write(0, layout.header);
    for (const [i, spec] of specs.entries()) await sink.write(layout.offsets[i], weights(spec, i + 1));
  });
}
