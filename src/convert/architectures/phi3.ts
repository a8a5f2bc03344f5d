/**
 * Phi-3 (mini, medium; 4k and 128k): fused q/k/v and fused gate/up matrices, rotation of halves (so nothing is
 * permuted), long contexts by two sets of rotary factors (LongRoPE).
 */
import { inputError } from '../../core/index.ts';
import { f32, u32 } from '../../gguf/index.ts';
import type { Architecture, ComputedTensor, HyperParameter, TensorRule } from '../architecture.ts';
import { type ConfigReader, type RopeSettings, ropeSettings } from '../config.ts';
import { outerTensors, readSizes, requireSilu, type Sizes } from './common.ts';

/**
 * By how much attention logits are scaled for a context `s` times longer than trained: as the papers of the
 * two methods define it. Keys are the config's `rope_scaling.type`.
 */
const ATTENTION_FACTORS: ReadonlyMap<string, (s: number, original: number) => number> = new Map([
  ['su', (s: number, original: number) => Math.sqrt(1 + Math.log(s) / Math.log(original))],
  ['longrope', (s: number, original: number) => Math.sqrt(1 + Math.log(s) / Math.log(original))],
  ['yarn', (s: number) => 0.1 * Math.log(s) + 1],
]);

function blockTensors(n: number, { E, F, H, K, D }: Sizes): TensorRule[] {
  const from = `model.layers.${n}`;
  const to = `blk.${n}`;
  return [
    { from: `${from}.input_layernorm.weight`, to: `${to}.attn_norm.weight`, shape: [E] },
    { from: `${from}.self_attn.qkv_proj.weight`, to: `${to}.attn_qkv.weight`, shape: [(H + 2 * K) * D, E] },
    { from: `${from}.self_attn.o_proj.weight`, to: `${to}.attn_output.weight`, shape: [E, H * D] },
    { from: `${from}.post_attention_layernorm.weight`, to: `${to}.ffn_norm.weight`, shape: [E] },
    { from: `${from}.mlp.gate_up_proj.weight`, to: `${to}.ffn_up.weight`, shape: [2 * F, E] },
    { from: `${from}.mlp.down_proj.weight`, to: `${to}.ffn_down.weight`, shape: [E, F] },
  ];
}

interface LongRope {
  readonly attentionFactor: number;
  readonly computed: readonly ComputedTensor[];
}

/** The LongRoPE factors, or undefined for a model without. @throws input error: incomplete, wrong length. */
function longRope(
  rope: RopeSettings,
  context: number,
  original: number,
  rotated: number,
): LongRope | undefined {
  const { parameters, type } = rope;
  const long = parameters.positives('long_factor');
  const short = parameters.positives('short_factor');
  if (!long && !short && type === undefined) return undefined;
  if (!long || !short) {
    throw inputError(parameters.place, 'needs both "long_factor" and "short_factor"');
  }
  const factor = type === undefined ? undefined : ATTENTION_FACTORS.get(type);
  if (!factor) {
    const known = [...ATTENTION_FACTORS.keys()].join(', ');
    throw inputError(parameters.place, `type is ${JSON.stringify(type)}; known are ${known}`);
  }
  if (long.length !== rotated / 2 || short.length !== rotated / 2) {
    throw inputError(
      parameters.place,
      `has ${long.length} long and ${short.length} short factors; ${rotated} rotated dimensions need ${rotated / 2}`,
    );
  }
  const s = context / original;
  return {
    attentionFactor: s > 1 ? factor(s, original) : 1,
    computed: [
      { name: 'rope_factors_long.weight', values: Float32Array.from(long) },
      { name: 'rope_factors_short.weight', values: Float32Array.from(short) },
    ],
  };
}

/** Rotated dimensions of a head. */
function rotatedDimensions(config: ConfigReader, { parameters }: RopeSettings, { E, H, D }: Sizes): number {
  if (D !== E / H) {
    throw inputError(config.place, `head_dim is ${D}, but hidden_size / num_attention_heads is ${E / H}`);
  }
  const share =
    parameters.optionalPositive('partial_rotary_factor') ??
    config.optionalPositive('partial_rotary_factor') ??
    1;
  const rotated = Math.floor(Math.floor(share * E) / H);
  if (share > 1 || rotated % 2 !== 0) {
    throw inputError(config.place, `partial_rotary_factor ${share} rotates ${rotated} of ${D} dimensions`);
  }
  return rotated;
}

export const phi3: Architecture = {
  name: 'phi3',
  classes: ['Phi3ForCausalLM'],
  phi3Name: true,
  plan: (config, hasTensor) => {
    requireSilu(config);
    const sizes = readSizes(config);
    const rope = ropeSettings(config);
    const original = rope.originalContext ?? sizes.C;
    const rotated = rotatedDimensions(config, rope, sizes);
    const long = longRope(rope, sizes.C, original, rotated);
    const hyperParameters: HyperParameter[] = [
      ['phi3.context_length', u32(sizes.C)],
      ['phi3.rope.scaling.original_context_length', u32(original)],
      ['phi3.embedding_length', u32(sizes.E)],
      ['phi3.feed_forward_length', u32(sizes.F)],
      ['phi3.block_count', u32(sizes.L)],
      ['phi3.attention.head_count', u32(sizes.H)],
      ['phi3.attention.head_count_kv', u32(sizes.K)],
      ['phi3.attention.layer_norm_rms_epsilon', f32(config.positive('rms_norm_eps'))],
      ['phi3.rope.dimension_count', u32(rotated)],
      ['phi3.rope.freq_base', f32(rope.theta)],
      'fileType',
      ['phi3.attention.sliding_window', u32(config.optionalCount('sliding_window', 0) ?? 0)],
    ];
    return {
      leading: long ? [['phi3.rope.scaling.attn_factor', f32(long.attentionFactor)]] : [],
      hyperParameters,
      tensors: [
        ...outerTensors(config, sizes, hasTensor),
        ...Array.from({ length: sizes.L }, (_, n) => blockTensors(n, sizes)).flat(),
      ],
      computed: long?.computed ?? [],
      vocabSize: sizes.V,
    };
  },
};
