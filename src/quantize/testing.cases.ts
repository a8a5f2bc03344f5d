/** Small random models for tests, as GGUF bytes. */
import { sample, uniform } from '../../test/random.ts';
import { type GgufValue, layoutGguf, type Metadata, str, strings, u32 } from '../gguf/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import { encode, FORMATS, type TensorFormat } from '../quants/index.ts';

export interface TestTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly format?: TensorFormat;
  /** Weights; random without. */
  readonly values?: Float32Array;
}

/** A Phi-3-shaped model: `layers` blocks of width `width`, in an order that is not llama.cpp's. */
export function phiTensors(layers: number, width: number): TestTensor[] {
  const blocks = Array.from({ length: layers }, (_, l) => [
    { name: `blk.${l}.attn_qkv.weight`, shape: [width, 3 * width] },
    { name: `blk.${l}.attn_norm.weight`, shape: [width], format: FORMATS.F32 },
    { name: `blk.${l}.attn_output.weight`, shape: [width, width] },
    { name: `blk.${l}.ffn_up.weight`, shape: [width, 4 * width] },
    { name: `blk.${l}.ffn_down.weight`, shape: [2 * width, width] },
  ]);
  return [
    { name: 'token_embd.weight', shape: [width, 64] },
    ...blocks.flat(),
    { name: 'output_norm.weight', shape: [width], format: FORMATS.F32 },
    { name: 'output.weight', shape: [width, 64] },
  ];
}

export function phiMetadata(layers: number): Metadata {
  return new Map<string, GgufValue>([
    ['general.architecture', str('phi3')],
    ['general.file_type', u32(1)],
    ['phi3.block_count', u32(layers)],
    ['phi3.attention.head_count', u32(4)],
    ['phi3.attention.head_count_kv', u32(4)],
    ['tokenizer.ggml.tokens', strings(['a', 'b'])],
  ]);
}

/** The bytes of a GGUF; tensors without a format are F16. */
export function buildModel(tensors: readonly TestTensor[], metadata: Metadata, seed = 1): Uint8Array {
  const specs = tensors.map(({ name, shape, format = FORMATS.F16 }) => ({ name, shape, format }));
  const { header, offsets, size } = layoutGguf({ metadata, tensors: specs });
  const bytes = new Uint8Array(size);
  bytes.set(header);
  const next = uniform(seed);
  tensors.forEach(({ shape, format = FORMATS.F16, values }, i) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const weights = values ?? sample(count, () => next() - 0.5, 0.1);
    bytes.set(encode(format, weights, shape[0]), offsets[i]);
  });
  return bytes;
}

/** Importance for the block matrices of a model. */
export function buildImportance(tensors: readonly TestTensor[], seed = 2): ImportanceMatrix {
  const next = uniform(seed);
  const matrices = tensors.filter(({ name, shape }) => name.startsWith('blk.') && shape.length > 1);
  return {
    name: 'secret-folder/test.imatrix.gguf',
    form: 'gguf',
    entries: new Map(
      matrices.map(({ name, shape }) => [
        name,
        { sums: sample(shape[0], () => next() + 0.01, 512), counts: Float32Array.of(512) },
      ]),
    ),
    datasets: ['someone/text.txt'],
    chunkCount: 1,
    chunkSize: 512,
  };
}
