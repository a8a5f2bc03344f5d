import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gguf } from '@huggingface/gguf';
import { afterAll, describe, expect, it } from 'vitest';
import { bitmill } from '../../test/cli.ts';
import {
  llamaFiles,
  openTestCheckpoint,
  phi3Files,
  type TestFiles,
  TINY,
  tensorOf,
} from '../../test/tiny-checkpoints.ts';
import { BitmillError, inlineExecutor, memorySink, memorySource, silentProgress } from '../core/index.ts';
import { type GgufFile, readGguf } from '../gguf/index.ts';
import { openGguf } from '../platform/index.ts';
import { decode } from '../quants/index.ts';
import { type ConvertOptions, planConversion, reportLines, writeConversion } from './convert.ts';

const STREAM = { executor: inlineExecutor, progress: silentProgress, allowNonFinite: false };

async function convert(files: TestFiles, options: Partial<ConvertOptions> = {}, name = 'folder/model') {
  const checkpoint = await openTestCheckpoint(files, name);
  const warnings: string[] = [];
  const plan = await planConversion(checkpoint, {
    dtype: 'auto',
    warn: (message) => void warnings.push(message),
    ...options,
  });
  const sink = memorySink();
  const report = await writeConversion(checkpoint, plan, sink, STREAM);
  const file = await readGguf(memorySource(sink.bytes(), 'out.gguf'));
  return { plan, report, file, warnings, size: sink.bytes().length };
}

function keys(file: GgufFile): string[] {
  return [...file.metadata.keys()];
}

function value(file: GgufFile, key: string): unknown {
  return file.metadata.get(key)?.value;
}

async function weights(file: GgufFile, name: string): Promise<number[]> {
  const tensor = file.find(name);
  if (!tensor) throw new Error(`no tensor ${name}`);
  return [...decode(tensor.format, await file.read(tensor), tensor.weights)];
}

/** Message of the BitmillError that converting throws. */
async function problem(files: TestFiles, options: Partial<ConvertOptions> = {}): Promise<string> {
  const error: unknown = await convert(files, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BitmillError)) throw new Error(`not refused: ${String(error)}`);
  expect(error.kind).toBe('input');
  return error.message;
}

describe('Phi-3', () => {
  it('writes the metadata in the order and with the types of llama.cpp', async () => {
    const { file } = await convert(phi3Files());
    expect(keys(file).slice(0, 17)).toEqual([
      'general.architecture',
      'general.type',
      'general.name',
      'general.size_label',
      'phi3.context_length',
      'phi3.rope.scaling.original_context_length',
      'phi3.embedding_length',
      'phi3.feed_forward_length',
      'phi3.block_count',
      'phi3.attention.head_count',
      'phi3.attention.head_count_kv',
      'phi3.attention.layer_norm_rms_epsilon',
      'phi3.rope.dimension_count',
      'phi3.rope.freq_base',
      'general.file_type',
      'phi3.attention.sliding_window',
      'general.quantization_version',
    ]);
    expect(keys(file).slice(17)).toEqual([
      'tokenizer.ggml.model',
      'tokenizer.ggml.pre',
      'tokenizer.ggml.tokens',
      'tokenizer.ggml.scores',
      'tokenizer.ggml.token_type',
      'tokenizer.ggml.bos_token_id',
      'tokenizer.ggml.eos_token_id',
      'tokenizer.ggml.unknown_token_id',
      'tokenizer.ggml.add_bos_token',
      'tokenizer.ggml.add_eos_token',
      'tokenizer.chat_template',
    ]);
    expect(file.metadata.get('phi3.embedding_length')).toEqual({ type: 'u32', value: 8 });
    expect(file.metadata.get('phi3.rope.dimension_count')).toEqual({ type: 'u32', value: 4 });
    expect(file.metadata.get('phi3.rope.freq_base')).toEqual({ type: 'f32', value: 10000 });
    expect(file.metadata.get('phi3.attention.sliding_window')).toEqual({ type: 'u32', value: 63 });
    expect(file.metadata.get('general.file_type')).toEqual({ type: 'u32', value: 32 });
    expect(file.metadata.get('tokenizer.ggml.scores')).toMatchObject({ type: 'array', of: 'f32' });
    expect(file.metadata.get('tokenizer.ggml.token_type')).toMatchObject({ type: 'array', of: 'i32' });
  });

  it('maps tensors one to one, matrices as they are, norms as F32, in the order of the checkpoint', async () => {
    const { file, size } = await convert(phi3Files());
    expect(
      file.tensors.map(({ name, format, shape }) => `${name} ${format.name} ${shape.join('x')}`),
    ).toEqual([
      'output.weight BF16 8x264',
      'token_embd.weight BF16 8x264',
      'blk.0.attn_norm.weight F32 8',
      'blk.0.ffn_down.weight BF16 12x8',
      'blk.0.ffn_up.weight BF16 8x24',
      'blk.0.ffn_norm.weight F32 8',
      'blk.0.attn_output.weight BF16 8x8',
      'blk.0.attn_qkv.weight BF16 8x16',
      'output_norm.weight F32 8',
    ]);
    expect(size % 32).toBe(0);
  });

  it('keeps every weight of a bf16 checkpoint exactly in f32 and in bf16', async () => {
    const values = Array.from({ length: TINY.E * TINY.E }, (_, i) => (i - 30) * 2 ** -7);
    const files = phi3Files({
      tensors: { 'model.layers.0.self_attn.o_proj.weight': tensorOf('BF16', [TINY.E, TINY.E], values) },
    });
    for (const dtype of ['f32', 'bf16'] as const) {
      const { file, report } = await convert(files, { dtype });
      expect(await weights(file, 'blk.0.attn_output.weight')).toEqual(values);
      expect(report.total).toEqual({ nonFinite: 0, flushed: 0, rounded: 0, overflowed: 0 });
    }
  });

  it('writes LongRoPE factors first and the attention factor right after the architecture', async () => {
    const { file } = await convert(
      phi3Files({
        config: {
          max_position_embeddings: 128,
          original_max_position_embeddings: 64,
          rope_scaling: { type: 'longrope', long_factor: [1, 4], short_factor: [1, 1.5] },
        },
      }),
    );
    expect(keys(file).slice(0, 3)).toEqual([
      'general.architecture',
      'phi3.rope.scaling.attn_factor',
      'general.type',
    ]);
    // sqrt(1 + ln 2 / ln 64)
    expect(value(file, 'phi3.rope.scaling.attn_factor')).toBeCloseTo(Math.sqrt(7 / 6), 6);
    expect(file.tensors.slice(0, 2).map(({ name }) => name)).toEqual([
      'rope_factors_long.weight',
      'rope_factors_short.weight',
    ]);
    expect(await weights(file, 'rope_factors_long.weight')).toEqual([1, 4]);
    expect(await weights(file, 'rope_factors_short.weight')).toEqual([1, 1.5]);
  });

  it('refuses LongRoPE factors that do not fit the rotated dimensions', async () => {
    const scaling = { type: 'longrope', long_factor: [1, 2, 3], short_factor: [1, 2, 3] };
    expect(await problem(phi3Files({ config: { rope_scaling: scaling } }))).toContain(
      'has 3 long and 3 short factors; 4 rotated dimensions need 2',
    );
  });

  it('does not name a file phi-3 whose vocabulary llama.cpp could not load under that name', async () => {
    const { file, warnings } = await convert(phi3Files(), {}, 'models/my-Phi3-tune');
    expect(value(file, 'general.name')).toBe('my-Phi 3-tune');
    expect(warnings).toHaveLength(1);
  });

  it('names a file with a Phi-3 vocabulary Phi-3, whatever the folder is called', async () => {
    const decoder = { '263': { content: '<|endoftext|>', special: true } };
    const files = phi3Files({ files: { 'tokenizer_config.json': { added_tokens_decoder: decoder } } });
    expect(value((await convert(files, {}, 'models/tuned')).file, 'general.name')).toBe('Phi-3 tuned');
    expect(value((await convert(files, { name: 'phi3 x' })).file, 'general.name')).toBe('phi3 x');
  });
});

describe('Llama', () => {
  it('writes the metadata in the order of llama.cpp', async () => {
    const { file } = await convert(llamaFiles({ config: { head_dim: 4 } }), { name: 'tiny' });
    expect(keys(file).slice(0, 18)).toEqual([
      'general.architecture',
      'general.type',
      'general.name',
      'general.size_label',
      'llama.block_count',
      'llama.context_length',
      'llama.embedding_length',
      'llama.feed_forward_length',
      'llama.attention.head_count',
      'llama.attention.head_count_kv',
      'llama.rope.freq_base',
      'llama.attention.layer_norm_rms_epsilon',
      'llama.attention.key_length',
      'llama.attention.value_length',
      'general.file_type',
      'llama.vocab_size',
      'llama.rope.dimension_count',
      'general.quantization_version',
    ]);
    expect(value(file, 'general.name')).toBe('tiny');
  });

  it('writes no output head for tied embeddings, even where the checkpoint repeats it', async () => {
    const head = tensorOf('BF16', [TINY.V, TINY.E], new Float32Array(TINY.V * TINY.E));
    const { file } = await convert(llamaFiles({ tensors: { 'lm_head.weight': head } }));
    expect(file.find('output.weight')).toBeUndefined();
  });

  it('interleaves the halves of each head of q and k, rows and biases, and leaves v alone', async () => {
    // Two heads of four rows; row r holds the value r in every column.
    const rows = (count: number) => Array.from({ length: count * TINY.E }, (_, i) => Math.floor(i / TINY.E));
    const attention = 'model.layers.0.self_attn';
    const { file } = await convert(
      llamaFiles({
        tensors: {
          [`${attention}.q_proj.weight`]: tensorOf('BF16', [8, TINY.E], rows(8)),
          [`${attention}.q_proj.bias`]: tensorOf('BF16', [8], [0, 1, 2, 3, 4, 5, 6, 7]),
          [`${attention}.k_proj.weight`]: tensorOf('BF16', [4, TINY.E], rows(4)),
          [`${attention}.v_proj.weight`]: tensorOf('BF16', [4, TINY.E], rows(4)),
        },
      }),
    );
    const firstOfRow = async (name: string) => (await weights(file, name)).filter((_, i) => i % TINY.E === 0);
    expect(await firstOfRow('blk.0.attn_q.weight')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(await weights(file, 'blk.0.attn_q.bias')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
    expect(await firstOfRow('blk.0.attn_k.weight')).toEqual([0, 2, 1, 3]);
    expect(await firstOfRow('blk.0.attn_v.weight')).toEqual([0, 1, 2, 3]);
  });

  it('computes the rotary factors of Llama 3: fast pairs 1, slow pairs the factor', async () => {
    const scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 64,
    };
    const { file } = await convert(llamaFiles({ config: { rope_scaling: scaling } }));
    // Wave lengths 2 pi and 200 pi against 64 / 4 and 64 / 1.
    expect(await weights(file, 'rope_freqs.weight')).toEqual([1, 8]);
    expect(file.tensors[0].name).toBe('rope_freqs.weight');
    expect(file.metadata.has('llama.rope.scaling.type')).toBe(false);
  });

  it('writes linear and yarn scaling as metadata', async () => {
    const linear = await convert(llamaFiles({ config: { rope_scaling: { type: 'linear', factor: 2 } } }));
    expect(value(linear.file, 'llama.rope.scaling.type')).toBe('linear');
    expect(value(linear.file, 'llama.rope.scaling.factor')).toBe(2);
    const scaling = { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 };
    const yarn = await convert(llamaFiles({ config: { rope_scaling: scaling } }));
    expect(value(yarn.file, 'llama.rope.scaling.original_context_length')).toBe(16);
  });

  it('takes Mistral for Llama', async () => {
    const { file } = await convert(llamaFiles({ config: { architectures: ['MistralForCausalLM'] } }));
    expect(value(file, 'general.architecture')).toBe('llama');
  });
});

describe('types', () => {
  it('takes the type of the first matrix with auto', async () => {
    expect((await convert(phi3Files({ dtype: 'F16' }))).plan.dtype).toBe('f16');
    expect((await convert(phi3Files({ dtype: 'F32' }))).plan.dtype).toBe('f32');
  });

  it('counts what f16 flushes, rounds and cannot hold', async () => {
    const values = new Float32Array(TINY.E * TINY.E);
    // Below half the smallest f16; between two subnormal f16; above the largest f16; exact.
    values.set([2 ** -26, 1.5 * 2 ** -24, 2 ** 17, 0.5]);
    const name = 'model.layers.0.self_attn.o_proj.weight';
    for (const dtype of ['BF16', 'F32'] as const) {
      const files = phi3Files({
        dtype: 'F16',
        tensors: { [name]: tensorOf(dtype, [TINY.E, TINY.E], values) },
      });
      const { report, plan } = await convert(files, { dtype: 'f16' });
      expect(report.total).toEqual({ nonFinite: 0, flushed: 1, rounded: 1, overflowed: 1 });
      expect([...report.tallies.keys()]).toEqual(['blk.0.attn_output.weight']);
      expect(reportLines(report.total, plan.weights)[0]).toContain('too large for f16');
    }
  });

  it('falls back to F16 where rows are not whole Q8_0 blocks', async () => {
    const { plan } = await convert(phi3Files(), { dtype: 'f32' });
    expect(plan.tensors.map(({ target }) => target)).not.toContain('F16');
    const checkpoint = await openTestCheckpoint(phi3Files());
    const q8 = await planConversion(checkpoint, { dtype: 'q8_0', warn: () => {} });
    expect(q8.tensors.find(({ name }) => name === 'output.weight')?.target).toBe('F16');
    expect(q8.metadata.get('general.file_type')?.value).toBe(7);
  });
});

describe('what is refused', () => {
  it('an unknown architecture, with the known ones', async () => {
    expect(await problem(phi3Files({ config: { architectures: ['GPT2LMHeadModel'] } }))).toBe(
      'folder/model: config.json: model class "GPT2LMHeadModel" cannot be converted; ' +
        'known are Phi3ForCausalLM, LlamaForCausalLM, MistralForCausalLM',
    );
    expect(await problem(phi3Files({ config: { architectures: null } }))).toContain(
      'does not name a model class',
    );
  });

  it('configs with fields that are missing, malformed or contradict each other', async () => {
    expect(await problem(phi3Files({ config: { hidden_size: null } }))).toContain('"hidden_size" is missing');
    expect(await problem(phi3Files({ config: { hidden_size: -8 } }))).toContain('is -8, not a whole number');
    expect(await problem(phi3Files({ config: { hidden_size: 9 } }))).toContain(
      'not a multiple of num_attention_heads',
    );
    expect(await problem(phi3Files({ config: { num_key_value_heads: 3 } }))).toContain('not a multiple');
    expect(await problem(phi3Files({ config: { num_hidden_layers: 1e9 } }))).toContain('at most 4096');
    expect(await problem(phi3Files({ config: { hidden_act: 'gelu' } }))).toContain('defined with silu');
    expect(await problem(llamaFiles({ config: { num_local_experts: 8 } }))).toContain('experts');
    expect(await problem(llamaFiles({ config: { rope_scaling: { type: 'constructor' } } }))).toContain(
      'known are linear, yarn, llama3',
    );
  });

  it('tensors that are missing, unknown or of another shape or type', async () => {
    const name = 'model.layers.0.self_attn.o_proj.weight';
    expect(await problem(phi3Files({ tensors: { [name]: undefined } }))).toContain(
      `lacks the tensor "${name}"`,
    );
    const square = tensorOf('BF16', [4, 4], new Float32Array(16));
    expect(await problem(phi3Files({ tensors: { [name]: square } }))).toContain(
      'is [4, 4], but by config.json it should be [8, 8]',
    );
    expect(await problem(phi3Files({ tensors: { 'model.extra': square } }))).toContain('"model.extra"');
    const fp8 = { dtype: 'F8_E4M3', shape: [8, 8], bytes: new Uint8Array(64) } as const;
    expect(await problem(phi3Files({ tensors: { [name]: fp8 } }))).toContain('is F8_E4M3');
    expect(
      await problem(
        phi3Files({ tensors: { 'lm_head.weight': undefined }, config: { tie_word_embeddings: false } }),
      ),
    ).toContain('lm_head.weight');
  });

  it('NaN and infinite weights, by the name of their tensor', async () => {
    const values = new Float32Array(64);
    values.set([Number.NaN, Number.POSITIVE_INFINITY]);
    const name = 'model.layers.0.self_attn.o_proj.weight';
    for (const dtype of ['BF16', 'F32'] as const) {
      const files = phi3Files({ tensors: { [name]: tensorOf(dtype, [8, 8], values) } });
      expect(await problem(files)).toBe(
        'folder/model: tensor "blk.0.attn_output.weight": has at least 2 weights that are NaN or infinite',
      );
    }
  });
});

describe('the command line', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-convert-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const model = fileURLToPath(new URL('../../test/fixtures/tiny-models/llama-gqa-tied', import.meta.url));

  it('writes the same bytes with one thread and with three, and a file that @huggingface/gguf reads', async () => {
    const files = [1, 3].map((threads) => {
      const output = path.join(folder, `${threads}.gguf`);
      const run = bitmill(['convert', model, '-o', output, '--json', '--threads', String(threads)]);
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({ name: 'llama-gqa-tied', dtype: 'bf16', tensors: 20 });
      return output;
    });
    expect(readFileSync(files[0]).equals(readFileSync(files[1]))).toBe(true);
    const { metadata, tensorInfos } = await gguf(files[0], { allowLocalFile: true });
    expect(metadata).toMatchObject({ 'general.architecture': 'llama', 'llama.attention.head_count_kv': 2 });
    expect(tensorInfos).toHaveLength(20);
  });

  it('dequantizes what it converted to the same weights', async () => {
    const quantized = path.join(folder, 'q8.gguf');
    const plain = path.join(folder, 'f32.gguf');
    expect(bitmill(['convert', model, '-o', quantized, '--dtype', 'q8_0']).code).toBe(0);
    expect(bitmill(['dequantize', quantized, '-o', plain]).code).toBe(0);
    const [before, after] = await Promise.all([openGguf(quantized), openGguf(plain)]);
    expect(await weights(after, 'blk.0.ffn_up.weight')).toEqual(await weights(before, 'blk.0.ffn_up.weight'));
    expect(after.find('blk.0.ffn_up.weight')?.format.name).toBe('F32');
    await Promise.all([before.close(), after.close()]);
  });

  it('leaves no file behind when the checkpoint is refused, and exits with 3', () => {
    const output = path.join(folder, 'none.gguf');
    const run = bitmill(['convert', folder, '-o', output]);
    expect(run.code).toBe(3);
    expect(run.stderr).toContain('error:');
    expect(existsSync(output)).toBe(false);
  });
});
