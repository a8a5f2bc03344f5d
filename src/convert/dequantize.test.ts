import { expect, it } from 'vitest';
import { inlineExecutor, memorySink, memorySource, silentProgress } from '../core/index.ts';
import {
  type GgufFile,
  type GgufValue,
  i32s,
  layoutGguf,
  type Metadata,
  readGguf,
  str,
  u32,
} from '../gguf/index.ts';
import { decode, encode, FORMATS, type FormatName } from '../quants/index.ts';
import { planDequantize, writeDequantized } from './dequantize.ts';

const STREAM = { executor: inlineExecutor, progress: silentProgress, allowNonFinite: false };

/** One Q4_0 block by hand: scale 0.5, codes 0 to 15 in the low and 15 to 0 in the high halves. */
function q4Block(): Uint8Array {
  const block = new Uint8Array(18);
  block.set([0x00, 0x38]);
  for (let i = 0; i < 16; i++) block[2 + i] = i | ((15 - i) << 4);
  return block;
}

async function sourceFile(tensors: readonly [string, FormatName, number[], Uint8Array][]): Promise<GgufFile> {
  const metadata: Metadata = new Map<string, GgufValue>([
    ['general.architecture', str('llama')],
    ['general.file_type', u32(2)],
    ['quantize.imatrix.file', str('x.dat')],
    ['general.quantization_version', u32(2)],
    ['tokenizer.ggml.token_type', i32s([1, 3])],
  ]);
  const specs = tensors.map(([name, format, shape]) => ({ name, format: FORMATS[format], shape }));
  const layout = layoutGguf({ metadata, tensors: specs });
  const bytes = new Uint8Array(layout.size);
  bytes.set(layout.header);
  for (const [i, [, , , data]] of tensors.entries()) bytes.set(data, layout.offsets[i]);
  return readGguf(memorySource(bytes, 'in.gguf'));
}

async function dequantize(file: GgufFile, type: 'f32' | 'bf16' | 'f16'): Promise<GgufFile> {
  const plan = planDequantize(file, type);
  const sink = memorySink();
  await writeDequantized(file, plan, sink, STREAM);
  expect(sink.bytes().length).toBe(plan.layout.size);
  return readGguf(memorySource(sink.bytes(), 'out.gguf'));
}

async function weights(file: GgufFile, name: string): Promise<number[]> {
  const tensor = file.find(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return [...decode(tensor.format, await file.read(tensor), tensor.weights)];
}

const NORM = new Uint8Array(Float32Array.of(1, -2, 3).buffer);

it('decodes matrices, keeps vectors in F32 and integers as they are', async () => {
  const file = await sourceFile([
    ['a.weight', 'Q4_0', [32, 1], q4Block()],
    ['a_norm.weight', 'F32', [3], NORM],
    ['ids', 'I32', [2, 1], encode(FORMATS.I32, Float32Array.of(7, -9), 2)],
  ]);
  for (const type of ['f32', 'bf16', 'f16'] as const) {
    const out = await dequantize(file, type);
    expect(out.tensors.map(({ format }) => format.name)).toEqual([type.toUpperCase(), 'F32', 'I32']);
    const low = Array.from({ length: 16 }, (_, i) => 0.5 * (i - 8));
    expect(await weights(out, 'a.weight')).toEqual([...low, ...low.toReversed()]);
    expect(await weights(out, 'a_norm.weight')).toEqual([1, -2, 3]);
    expect(await weights(out, 'ids')).toEqual([7, -9]);
  }
});

it('keeps the metadata in order, states the new file type and drops what the quantizer left', async () => {
  const file = await sourceFile([['a_norm.weight', 'F32', [3], NORM]]);
  const out = await dequantize(file, 'bf16');
  expect([...out.metadata.keys()]).toEqual([
    'general.architecture',
    'general.file_type',
    'general.quantization_version',
    'tokenizer.ggml.token_type',
  ]);
  expect(out.metadata.get('general.file_type')).toEqual({ type: 'u32', value: 32 });
});

it('refuses a block whose scale is infinite, by the name of its tensor', async () => {
  const block = q4Block();
  block.set([0x00, 0x7c]);
  const file = await sourceFile([['a.weight', 'Q4_0', [32, 1], block]]);
  await expect(dequantize(file, 'f32')).rejects.toThrow(
    'in.gguf: tensor "a.weight": has at least 32 weights',
  );
});
