/** Whole tiny checkpoints for the tests of `convert`: config, tokenizer and random weights, in memory. */
import { type Checkpoint, layoutSafetensors, openCheckpoint } from '../src/hf/index.ts';
import { encode, FORMATS } from '../src/quants/index.ts';
import { memoryFiles } from './checkpoints.ts';
import { normal, sample } from './random.ts';

/** A tensor to be written into a safetensors file. */
export interface TestTensor {
  readonly dtype: 'F32' | 'F16' | 'BF16' | 'F8_E4M3';
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Values in a dtype. */
export function tensorOf(
  dtype: 'F32' | 'F16' | 'BF16',
  shape: readonly number[],
  values: ArrayLike<number>,
): TestTensor {
  const weights = Float32Array.from(values);
  return { dtype, shape, bytes: encode(FORMATS[dtype], weights, weights.length) };
}

function safetensors(tensors: Readonly<Record<string, TestTensor>>): Uint8Array {
  const specs = Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const { header, offsets, size } = layoutSafetensors(specs);
  const file = new Uint8Array(size);
  file.set(header);
  for (const [i, { bytes }] of Object.values(tensors).entries()) file.set(bytes, offsets[i]);
  return file;
}

/** Files by name, as `memoryFiles` takes them. */
export type TestFiles = Readonly<Record<string, unknown>>;

/** Opens files as a checkpoint. @param name folder or repository id. */
export function openTestCheckpoint(files: TestFiles, name = 'folder/model'): Promise<Checkpoint> {
  return openCheckpoint(memoryFiles(files, name));
}

/** Widths of a tiny model; see `phi3Files` and `llamaFiles`. */
export const TINY = { E: 8, F: 12, L: 1, H: 2, K: 1, V: 264 } as const;

/** A SentencePiece-style tokenizer.json: `<unk> <s> </s>`, 256 bytes, then `pieces` (from id 259). */
export function sentencePieceJson(pieces: readonly string[], merges: readonly string[]): unknown {
  const specials = ['<unk>', '<s>', '</s>'];
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const all = [...specials, ...bytes, ...pieces];
  return {
    added_tokens: specials.map((content, id) => ({ id, content, special: true })),
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      vocab: Object.fromEntries(all.map((piece, id) => [piece, id])),
      merges,
    },
  };
}

const TOKENIZER_FILES: TestFiles = {
  'tokenizer.json': sentencePieceJson(['▁a', '▁', 'a', 'b'], ['▁ a']),
  'tokenizer_config.json': {
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    add_bos_token: true,
    add_eos_token: false,
    chat_template: '{{ messages }}',
  },
};

const COMMON_CONFIG = {
  hidden_size: TINY.E,
  intermediate_size: TINY.F,
  num_hidden_layers: TINY.L,
  num_attention_heads: TINY.H,
  num_key_value_heads: TINY.K,
  vocab_size: TINY.V,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
};

function randomTensors(
  shapes: Readonly<Record<string, readonly number[]>>,
  dtype: 'F32' | 'F16' | 'BF16',
): Record<string, TestTensor> {
  const next = normal(7);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const size = shape.reduce((product, n) => product * n, 1);
      return [name, tensorOf(dtype, shape, sample(size, next, 0.1))];
    }),
  );
}

/** What a test changes of a tiny checkpoint. */
export interface TinyChanges {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly dtype?: 'F32' | 'F16' | 'BF16';
  /** Tensors added or replaced; undefined removes one. */
  readonly tensors?: Readonly<Record<string, TestTensor | undefined>>;
  readonly files?: TestFiles;
}

function filesOf(
  config: Readonly<Record<string, unknown>>,
  shapes: Readonly<Record<string, readonly number[]>>,
  { config: changed = {}, dtype = 'BF16', tensors = {}, files = {} }: TinyChanges,
): TestFiles {
  const merged = { ...randomTensors(shapes, dtype), ...tensors };
  const present = Object.entries(merged).filter(
    (entry): entry is [string, TestTensor] => entry[1] !== undefined,
  );
  return {
    'config.json': { ...COMMON_CONFIG, ...config, ...changed },
    'model.safetensors': safetensors(Object.fromEntries(present)),
    ...TOKENIZER_FILES,
    ...files,
  };
}

/** A Phi-3 checkpoint of one layer, 8 wide, 2 heads over 1 key/value head. */
export function phi3Files(changes: TinyChanges = {}): TestFiles {
  const { E, F, V } = TINY;
  const layer = 'model.layers.0';
  return filesOf(
    { architectures: ['Phi3ForCausalLM'], sliding_window: 63, original_max_position_embeddings: 64 },
    {
      'lm_head.weight': [V, E],
      'model.embed_tokens.weight': [V, E],
      [`${layer}.input_layernorm.weight`]: [E],
      [`${layer}.mlp.down_proj.weight`]: [E, F],
      [`${layer}.mlp.gate_up_proj.weight`]: [2 * F, E],
      [`${layer}.post_attention_layernorm.weight`]: [E],
      [`${layer}.self_attn.o_proj.weight`]: [E, E],
      [`${layer}.self_attn.qkv_proj.weight`]: [2 * E, E],
      'model.norm.weight': [E],
    },
    changes,
  );
}

/** A Llama checkpoint of one layer, 8 wide, 2 heads over 1 key/value head, tied embeddings. */
export function llamaFiles(changes: TinyChanges = {}): TestFiles {
  const { E, F, V } = TINY;
  const layer = 'model.layers.0';
  return filesOf(
    { architectures: ['LlamaForCausalLM'], tie_word_embeddings: true },
    {
      'model.embed_tokens.weight': [V, E],
      [`${layer}.input_layernorm.weight`]: [E],
      [`${layer}.mlp.down_proj.weight`]: [E, F],
      [`${layer}.mlp.gate_proj.weight`]: [F, E],
      [`${layer}.mlp.up_proj.weight`]: [F, E],
      [`${layer}.post_attention_layernorm.weight`]: [E],
      [`${layer}.self_attn.k_proj.weight`]: [E / 2, E],
      [`${layer}.self_attn.o_proj.weight`]: [E, E],
      [`${layer}.self_attn.q_proj.weight`]: [E, E],
      [`${layer}.self_attn.v_proj.weight`]: [E / 2, E],
      'model.norm.weight': [E],
    },
    changes,
  );
}
