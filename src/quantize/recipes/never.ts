/**
 * What is never quantized, as in llama.cpp: vectors and small or delicate matrices keep their format. The
 * texts are names or parts of names of GGUF tensors.
 */

/** Parts of names. */
const PARTS: readonly string[] = [
  '_norm.weight',
  'ffn_gate_inp.weight',
  'altup',
  'laurel',
  'per_layer_model_proj',
  'ssm_conv1d.weight',
  'shortconv.conv.weight',
  'attn_rel_b.weight',
  ...['first', 'w0', 'w1', 'w2', 'v0', 'v1', 'v2', 'a0', 'a1', 'a2', 'g1', 'g2'].map(
    (part) => `time_mix_${part}.weight`,
  ),
  ...['decay_w1', 'decay_w2', 'lerp_fused'].map((part) => `time_mix_${part}.weight`),
  ...['.position_embd', '.patch_embd', '.patch_merger', 'sam.pos_embd', 'sam.neck.', 'sam.net_', '.rel_pos'],
];

/** Whole names. */
const NAMES: ReadonlySet<string> = new Set(['position_embd.weight', 'token_types.weight']);

const INDEXER = /indexer\..*proj/;

/** @param shape row length first; trailing ones do not count as dimensions. */
export function isQuantizable(name: string, shape: readonly number[]): boolean {
  const dimensions = shape.reduce((last, size, d) => (size > 1 ? d + 1 : last), 1);
  if (dimensions < 2 || !name.endsWith('weight') || NAMES.has(name)) return false;
  return !PARTS.some((part) => name.includes(part)) && !INDEXER.test(name);
}
