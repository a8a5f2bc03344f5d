/**
 * Phi-3 and Phi-4 (mini, medium; 4k and 128k): a Llama with q, k, v in one matrix and gate, up in another. GGUF keeps
 * the rows as they were trained, so halves of a head are rotated (`neox`).
 */
import { decoder } from '../decoder.ts';

export const phi3 = decoder({
  name: 'phi3',
  rope: 'neox',
  read: (reader, { width, heads, kvHeads, headSize, feedForward }, prefix) => ({
    attnNorm: reader.vector(`${prefix}.attn_norm.weight`, width),
    attnQkv: reader.linear(`${prefix}.attn_qkv`, width, (heads + 2 * kvHeads) * headSize),
    attnOutput: reader.linear(`${prefix}.attn_output`, heads * headSize, width),
    ffnNorm: reader.vector(`${prefix}.ffn_norm.weight`, width),
    ffnUp: reader.linear(`${prefix}.ffn_up`, width, 2 * feedForward),
    ffnDown: reader.linear(`${prefix}.ffn_down`, feedForward, width),
  }),
  layer: (layer, tensors) => {
    const { heads, kvHeads, headSize, feedForward } = layer.sizes;
    const kv = kvHeads * headSize;

    const qkv = layer.linear(layer.norm(layer.hidden, tensors.attnNorm), tensors.attnQkv);
    const [q, k, v] = layer.split(qkv, [heads * headSize, kv, kv]);
    const attended = layer.linear(layer.attend(q, k, v), tensors.attnOutput);
    const middle = layer.add(layer.hidden, attended);

    const gateUp = layer.linear(layer.norm(middle, tensors.ffnNorm), tensors.ffnUp);
    const [gate, up] = layer.split(gateUp, [feedForward, feedForward]);
    return layer.add(middle, layer.linear(layer.swiglu(gate, up), tensors.ffnDown));
  },
});
