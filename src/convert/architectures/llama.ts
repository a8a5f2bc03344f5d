/**
 * Llama 2 and 3, Mistral, SmolLM2, TinyLlama: separate q, k, v and gate, up, down. llama.cpp rotates
 * neighbouring pairs of a head here, so the rows of q and k are interleaved.
 */
import { inputError } from '../../core/index.ts';
import { f32, str, u32 } from '../../gguf/index.ts';
import type { Architecture, ComputedTensor, Entry, HyperParameter, TensorRule } from '../architecture.ts';
import { type ConfigReader, type RopeSettings, ropeSettings } from '../config.ts';
import { outerTensors, readSizes, requireSilu, type Sizes } from './common.ts';

/** A matrix and, where the checkpoint has one, its bias. */
function linear(
  [from, to]: readonly [string, string],
  [rows, cols]: readonly [number, number],
  hasTensor: (name: string) => boolean,
  interleaveHeads?: number,
): TensorRule[] {
  const heads = interleaveHeads === undefined ? {} : { interleaveHeads };
  const weight = { from: `${from}.weight`, to: `${to}.weight`, shape: [rows, cols], ...heads };
  const bias = { from: `${from}.bias`, to: `${to}.bias`, shape: [rows], ...heads };
  return hasTensor(bias.from) ? [weight, bias] : [weight];
}

function blockTensors(n: number, sizes: Sizes, has: (name: string) => boolean): TensorRule[] {
  const { E, F, H, K, D } = sizes;
  const from = `model.layers.${n}`;
  const to = `blk.${n}`;
  return [
    { from: `${from}.input_layernorm.weight`, to: `${to}.attn_norm.weight`, shape: [E] },
    ...linear([`${from}.self_attn.q_proj`, `${to}.attn_q`], [H * D, E], has, H),
    ...linear([`${from}.self_attn.k_proj`, `${to}.attn_k`], [K * D, E], has, K),
    ...linear([`${from}.self_attn.v_proj`, `${to}.attn_v`], [K * D, E], has),
    ...linear([`${from}.self_attn.o_proj`, `${to}.attn_output`], [E, H * D], has),
    { from: `${from}.post_attention_layernorm.weight`, to: `${to}.ffn_norm.weight`, shape: [E] },
    ...linear([`${from}.mlp.gate_proj`, `${to}.ffn_gate`], [F, E], has),
    ...linear([`${from}.mlp.up_proj`, `${to}.ffn_up`], [F, E], has),
    ...linear([`${from}.mlp.down_proj`, `${to}.ffn_down`], [E, F], has),
  ];
}

/** Context that Llama 3.1 was trained with before its extension; configs may leave it out. */
const LLAMA3_ORIGINAL_CONTEXT = 8192;

/**
 * Llama 3's rotary factors `[D / 2]`: fast pairs stay, slow ones turn `factor` times slower, those between
 * are blended. In f32 steps, as the incumbent computes them.
 */
function llama3Factors(rope: RopeSettings, D: number): Float32Array {
  const { parameters, theta } = rope;
  const factor = parameters.optionalPositive('factor') ?? 8;
  const low = parameters.optionalPositive('low_freq_factor') ?? 1;
  const high = parameters.optionalPositive('high_freq_factor') ?? 4;
  const original = rope.originalContext ?? LLAMA3_ORIGINAL_CONTEXT;
  if (high <= low) {
    throw inputError(parameters.place, `high_freq_factor (${high}) is not above low_freq_factor (${low})`);
  }
  const f = Math.fround;
  return Float32Array.from({ length: D / 2 }, (_, i) => {
    const frequency = f(1 / f(theta ** f((2 * i) / D)));
    const wavelength = f((2 * Math.PI) / frequency);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const smooth = f(f(f(original / wavelength) - low) / (high - low));
    return f(1 / f(f(f(1 - smooth) / factor) + smooth));
  });
}

/** Optional numbers of a yarn scaling: field of the config -> key. */
const YARN_FIELDS: readonly (readonly [string, string])[] = [
  ['extrapolation_factor', 'yarn_ext_factor'],
  ['attention_factor', 'yarn_attn_factor'],
  ['beta_fast', 'yarn_beta_fast'],
  ['beta_slow', 'yarn_beta_slow'],
];

/** Metadata of a rope scaling, by the config's type. */
const SCALINGS: ReadonlyMap<string, (rope: RopeSettings) => Entry[]> = new Map([
  ['linear', linearScaling],
  ['yarn', yarnScaling],
  // Llama 3 has no key: its factors are a tensor.
  ['llama3', () => []],
]);

function linearScaling({ parameters }: RopeSettings): Entry[] {
  return [
    ['llama.rope.scaling.type', str('linear')],
    ['llama.rope.scaling.factor', f32(parameters.positive('factor'))],
  ];
}

function yarnScaling({ parameters, originalContext }: RopeSettings): Entry[] {
  if (originalContext === undefined) {
    throw inputError(parameters.place, 'field "original_max_position_embeddings" is missing');
  }
  const extra = YARN_FIELDS.flatMap(([field, key]): Entry[] => {
    const value = parameters.optionalPositive(field);
    return value === undefined ? [] : [[`llama.rope.scaling.${key}`, f32(value)]];
  });
  return [
    ['llama.rope.scaling.type', str('yarn')],
    ['llama.rope.scaling.factor', f32(parameters.positive('factor'))],
    ['llama.rope.scaling.original_context_length', u32(originalContext)],
    ...extra,
  ];
}

function scalingEntries(rope: RopeSettings): Entry[] {
  if (rope.type === undefined) return [];
  const entries = SCALINGS.get(rope.type);
  if (!entries) {
    const known = [...SCALINGS.keys()].join(', ');
    throw inputError(rope.parameters.place, `type is "${rope.type}"; known are ${known}`);
  }
  return entries(rope);
}

function hyperParameters(config: ConfigReader, sizes: Sizes, rope: RopeSettings): HyperParameter[] {
  const headSize: HyperParameter[] = config.has('head_dim')
    ? [
        ['llama.attention.key_length', u32(sizes.D)],
        ['llama.attention.value_length', u32(sizes.D)],
      ]
    : [];
  return [
    ['llama.block_count', u32(sizes.L)],
    ['llama.context_length', u32(sizes.C)],
    ['llama.embedding_length', u32(sizes.E)],
    ['llama.feed_forward_length', u32(sizes.F)],
    ['llama.attention.head_count', u32(sizes.H)],
    ['llama.attention.head_count_kv', u32(sizes.K)],
    ...scalingEntries(rope),
    ['llama.rope.freq_base', f32(rope.theta)],
    ['llama.attention.layer_norm_rms_epsilon', f32(config.positive('rms_norm_eps'))],
    ...headSize,
    'fileType',
    ['llama.vocab_size', u32(sizes.V)],
    ['llama.rope.dimension_count', u32(sizes.D)],
  ];
}

export const llama: Architecture = {
  name: 'llama',
  classes: ['LlamaForCausalLM', 'MistralForCausalLM'],
  plan: (config, hasTensor) => {
    requireSilu(config);
    if (config.has('num_local_experts')) {
      throw inputError(
        config.place,
        'has experts (num_local_experts); mixtures of experts are not converted',
      );
    }
    const sizes = readSizes(config);
    const rope = ropeSettings(config);
    const computed: ComputedTensor[] =
      rope.type === 'llama3' ? [{ name: 'rope_freqs.weight', values: llama3Factors(rope, sizes.D) }] : [];
    return {
      leading: [],
      hyperParameters: hyperParameters(config, sizes, rope),
      tensors: [
        ...outerTensors(config, sizes, hasTensor),
        ...Array.from({ length: sizes.L }, (_, n) => blockTensors(n, sizes, hasTensor)).flat(),
      ],
      computed,
      vocabSize: sizes.V,
    };
  },
};
