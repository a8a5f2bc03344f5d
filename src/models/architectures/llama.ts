/**
 * Llama 2 and 3, Mistral, SmolLM2, TinyLlama: separate q, k, v and gate, up matrices. GGUF interleaves the rows of q and
 * k, so neighbouring columns of a head are rotated (`norm`).
 */
import { decoder } from '../decoder.ts';

export const llama = decoder({
  name: 'llama',
  rope: 'norm',
  read: (reader, { width, heads, kvHeads, headSize, feedForward }, prefix) => ({
    attnNorm: reader.vector(`${prefix}.attn_norm.weight`, width),
    attnQ: reader.linear(`${prefix}.attn_q`, width, heads * headSize),
    attnK: reader.linear(`${prefix}.attn_k`, width, kvHeads * headSize),
    attnV: reader.linear(`${prefix}.attn_v`, width, kvHeads * headSize),
    attnOutput: reader.linear(`${prefix}.attn_output`, heads * headSize, width),
    ffnNorm: reader.vector(`${prefix}.ffn_norm.weight`, width),
    ffnGate: reader.linear(`${prefix}.ffn_gate`, width, feedForward),
    ffnUp: reader.linear(`${prefix}.ffn_up`, width, feedForward),
    ffnDown: reader.linear(`${prefix}.ffn_down`, feedForward, width),
  }),
  layer: (layer, tensors) => {
    const x = layer.norm(layer.hidden, tensors.attnNorm);
    const q = layer.linear(x, tensors.attnQ);
    const k = layer.linear(x, tensors.attnK);
    const v = layer.linear(x, tensors.attnV);
    const attended = layer.linear(layer.attend(q, k, v), tensors.attnOutput);
    const middle = layer.add(layer.hidden, attended);

    const y = layer.norm(middle, tensors.ffnNorm);
    const gated = layer.swiglu(layer.linear(y, tensors.ffnGate), layer.linear(y, tensors.ffnUp));
    return layer.add(middle, layer.linear(gated, tensors.ffnDown));
  },
});
