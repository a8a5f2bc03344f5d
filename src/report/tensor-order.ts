/** The kinds of a layer's tensors in the order of computation, for pictures that have a row for each. */

/** Kinds that are not here follow by name. */
const ORDER = ['attn_qkv', 'attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];

/** Each kind once, from top to bottom. */
export function inOrder(kinds: readonly string[]): string[] {
  const rank = (kind: string) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);
  return [...new Set(kinds)].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b, 'en'));
}
