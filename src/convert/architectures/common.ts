/** What the decoder-only architectures share: sizes of the model and their sanity, names around the blocks. */
import { inputError } from '../../core/index.ts';
import type { TensorRule } from '../architecture.ts';
import type { ConfigReader } from '../config.ts';

/** E width, F feed-forward width, L layers, H heads, K key/value heads, D head size, V vocabulary, C context. */
export interface Sizes {
  readonly E: number;
  readonly F: number;
  readonly L: number;
  readonly H: number;
  readonly K: number;
  readonly D: number;
  readonly V: number;
  readonly C: number;
}

/** Most layers believed; the deepest known models have about 130. */
const MAX_LAYERS = 4096;

/** @throws input error: a size is missing or contradicts another. */
export function readSizes(config: ConfigReader): Sizes {
  const E = config.count('hidden_size');
  const H = config.count('num_attention_heads');
  const K = config.optionalCount('num_key_value_heads') ?? H;
  const L = config.count('num_hidden_layers');
  if (L > MAX_LAYERS)
    throw inputError(config.place, `num_hidden_layers is ${L}; at most ${MAX_LAYERS} are read`);
  if (H % K !== 0) {
    throw inputError(
      config.place,
      `num_attention_heads (${H}) is not a multiple of num_key_value_heads (${K})`,
    );
  }
  const head = config.optionalCount('head_dim');
  if (head === undefined && E % H !== 0) {
    throw inputError(config.place, `hidden_size (${E}) is not a multiple of num_attention_heads (${H})`);
  }
  const D = head ?? E / H;
  if (D % 2 !== 0) throw inputError(config.place, `the head size is ${D}; it must be even to be rotated`);
  return {
    E,
    F: config.count('intermediate_size'),
    L,
    H,
    K,
    D,
    V: config.count('vocab_size'),
    C: config.count('max_position_embeddings'),
  };
}

/** @throws input error: the config asks for another activation than SiLU, which the GGUF cannot express. */
export function requireSilu(config: ConfigReader): void {
  const activation = config.text('hidden_act') ?? 'silu';
  if (activation !== 'silu' && activation !== 'swish') {
    throw inputError(config.place, `hidden_act is "${activation}"; this architecture is defined with silu`);
  }
}

/**
 * Embedding, final norm and output head. A tied head is not written: readers fall back to the embedding.
 * @throws input error: the head is missing although the config says that it is not tied.
 */
export function outerTensors(
  config: ConfigReader,
  { E, V }: Sizes,
  hasTensor: (name: string) => boolean,
): TensorRule[] {
  const tied = config.flag('tie_word_embeddings') ?? !hasTensor('lm_head.weight');
  const rules: TensorRule[] = [
    { from: 'model.embed_tokens.weight', to: 'token_embd.weight', shape: [V, E] },
    { from: 'model.norm.weight', to: 'output_norm.weight', shape: [E] },
  ];
  if (!tied) rules.push({ from: 'lm_head.weight', to: 'output.weight', shape: [V, E] });
  return rules;
}
