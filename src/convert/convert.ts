/**
 * A checkpoint of Hugging Face as a GGUF: `planConversion` checks everything that can be checked without
 * reading weights and lays the file out, `writeConversion` streams the weights.
 */
import { type ByteSink, inputError } from '../core/index.ts';
import { type GgufLayout, layoutGguf, type Metadata, str, type TensorSpec, u32 } from '../gguf/index.ts';
import type { Checkpoint, SafetensorsType } from '../hf/index.ts';
import { FORMATS, type FormatName, QUANTIZATION_VERSION } from '../quants/index.ts';
import { type Entry, IGNORED_TENSORS, type ModelPlan, type TensorRule } from './architecture.ts';
import { architectureOf } from './architectures/index.ts';
import { readCard } from './card.ts';
import { ConfigReader } from './config.ts';
import { generalEntries, markedName, nameOf } from './general.ts';
import { sumTallies, type Tally } from './rows.ts';
import { type StreamOptions, streamTensors, type Transfer } from './stream.ts';
import { tokenizerMetadata } from './tokenizer/index.ts';

/** What `--dtype` may be -> the format of matrices and general.file_type. */
export const CONVERT_TYPES = {
  f32: { format: 'F32', fileType: 0 },
  f16: { format: 'F16', fileType: 1 },
  bf16: { format: 'BF16', fileType: 32 },
  q8_0: { format: 'Q8_0', fileType: 7 },
} as const satisfies Record<string, { format: FormatName; fileType: number }>;

export type ConvertType = keyof typeof CONVERT_TYPES;

export interface ConvertOptions {
  /** `auto`: the type of the checkpoint's first matrix. */
  readonly dtype: ConvertType | 'auto';
  /** general.name; default: the folder's or repository's. */
  readonly name?: string | undefined;
  /** tokenizer.ggml.pre instead of the detected one. */
  readonly pre?: string | undefined;
  readonly warn: (message: string) => void;
}

/** Where the weights of an output tensor come from. */
type Origin =
  | {
      readonly kind: 'checkpoint';
      readonly name: string;
      readonly source: FormatName;
      readonly headRows: number;
    }
  | { readonly kind: 'computed'; readonly values: Float32Array };

export interface PlannedTensor extends TensorSpec {
  readonly target: FormatName;
  readonly origin: Origin;
}

export interface ConversionPlan {
  readonly architecture: string;
  readonly name: string;
  readonly dtype: ConvertType;
  readonly tokenizer: 'sentencepiece' | 'byte-level';
  readonly weights: number;
  readonly metadata: Metadata;
  readonly tensors: readonly PlannedTensor[];
  readonly layout: GgufLayout;
}

/** Types of safetensors that hold plain floats -> our format. */
const SOURCES: Partial<Record<SafetensorsType, FormatName>> = {
  F32: 'F32',
  F16: 'F16',
  BF16: 'BF16',
  F64: 'F64',
};

/** `auto`: what matrices of that type become. */
const AUTOMATIC: Partial<Record<FormatName, ConvertType>> = {
  F32: 'f32',
  F64: 'f32',
  F16: 'f16',
  BF16: 'bf16',
};

function sourceOf(checkpoint: Checkpoint, name: string): FormatName {
  const tensor = checkpoint.tensors.get(name);
  const source = tensor && SOURCES[tensor.dtype];
  if (source) return source;
  throw inputError(
    `${checkpoint.name}: tensor "${name}"`,
    `is ${tensor?.dtype}; only ${Object.keys(SOURCES).join(', ')} can be converted`,
    'quantized checkpoints (FP8, GPTQ, AWQ) are not converted: take the original one',
  );
}

/** The rules by checkpoint name. @throws input error: a tensor is missing, unknown or has another shape. */
function matchTensors(checkpoint: Checkpoint, rules: readonly TensorRule[]): Map<string, TensorRule> {
  const byName = new Map(rules.map((rule) => [rule.from, rule]));
  const missing = rules.filter(({ from }) => !checkpoint.tensors.has(from)).map(({ from }) => from);
  if (missing.length > 0) {
    throw inputError(checkpoint.name, `lacks ${some(missing)}, which its config.json calls for`);
  }
  const unknown = [...checkpoint.tensors.keys()].filter(
    (name) => !byName.has(name) && !IGNORED_TENSORS.test(name) && name !== 'lm_head.weight',
  );
  if (unknown.length > 0) {
    throw inputError(checkpoint.name, `has ${some(unknown)}, which its architecture does not know`);
  }
  for (const { from, shape } of rules) {
    const found = checkpoint.tensors.get(from)?.shape ?? [];
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      throw inputError(
        `${checkpoint.name}: tensor "${from}"`,
        `is [${found.join(', ')}], but by config.json it should be [${shape.join(', ')}]`,
      );
    }
  }
  return byName;
}

/** A few names of many, for a message. */
function some(names: readonly string[]): string {
  const shown = names
    .slice(0, 3)
    .map((name) => `"${name}"`)
    .join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more tensors` : `the tensor ${shown}`;
}

/** The format a tensor is written in: vectors and norms stay F32, rows that are not whole blocks become F16. */
function targetOf(name: string, shape: readonly number[], format: FormatName): FormatName {
  if (shape.length < 2 || name.endsWith('_norm.weight')) return 'F32';
  return shape[shape.length - 1] % FORMATS[format].blockSize === 0 ? format : 'F16';
}

function planTensors(checkpoint: Checkpoint, plan: ModelPlan, format: FormatName): PlannedTensor[] {
  const rules = matchTensors(checkpoint, plan.tensors);
  const computed = plan.computed.map(
    ({ name, values }): PlannedTensor => ({
      name,
      shape: [values.length],
      format: FORMATS.F32,
      target: 'F32',
      origin: { kind: 'computed', values },
    }),
  );
  const taken = [...checkpoint.tensors.keys()].flatMap((name): PlannedTensor[] => {
    const rule = rules.get(name);
    if (!rule) return [];
    const target = targetOf(rule.to, rule.shape, format);
    const headRows = rule.interleaveHeads === undefined ? 0 : rule.shape[0] / rule.interleaveHeads;
    const source = sourceOf(checkpoint, name);
    const shape = rule.shape.toReversed();
    return [
      {
        name: rule.to,
        shape,
        format: FORMATS[target],
        target,
        origin: { kind: 'checkpoint', name, source, headRows },
      },
    ];
  });
  return [...computed, ...taken];
}

function resolveType(checkpoint: Checkpoint, dtype: ConvertType | 'auto'): ConvertType {
  if (dtype !== 'auto') return dtype;
  const first = [...checkpoint.tensors.values()].find(({ shape }) => shape.length >= 2);
  if (!first) throw inputError(checkpoint.name, 'has no matrix');
  return AUTOMATIC[sourceOf(checkpoint, first.name)] ?? 'f32';
}

function weightsOf({ shape }: TensorSpec): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Plans a conversion. Reads configs and tokenizer files, no weights.
 * @throws input error: unknown architecture, config and tensors that contradict each other, a tokenizer that
 * cannot be expressed.
 */
export async function planConversion(
  checkpoint: Checkpoint,
  options: ConvertOptions,
): Promise<ConversionPlan> {
  const place = `${checkpoint.name}: config.json`;
  const architecture = architectureOf(checkpoint.config, place);
  const plan = architecture.plan(new ConfigReader(checkpoint.config, place), (name) =>
    checkpoint.tensors.has(name),
  );
  const dtype = resolveType(checkpoint, options.dtype);
  const tensors = planTensors(checkpoint, plan, CONVERT_TYPES[dtype].format);
  const tokenizer = await tokenizerMetadata(checkpoint, plan.vocabSize, options);
  const plainName = options.name ?? nameOf(checkpoint.name);
  const name = markedName(plainName, architecture, tokenizer.tokens, options.warn);
  const weights = tensors.reduce((sum, tensor) => sum + weightsOf(tensor), 0);
  const card = readCard(await checkpoint.text('README.md'));
  const generation = await checkpoint.json('generation_config.json');
  const fileType = u32(CONVERT_TYPES[dtype].fileType);
  const entries: Entry[] = [
    ['general.architecture', str(architecture.name)],
    ...plan.leading,
    ...generalEntries({ name, weights, generation, card }),
    ...plan.hyperParameters.map(
      (entry): Entry => (entry === 'fileType' ? ['general.file_type', fileType] : entry),
    ),
    ['general.quantization_version', u32(QUANTIZATION_VERSION)],
    ...tokenizer.entries,
  ];
  const metadata: Metadata = new Map(entries);
  const layout = layoutGguf({ metadata, tensors });
  return {
    architecture: architecture.name,
    name,
    dtype,
    tokenizer: tokenizer.kind,
    weights,
    metadata,
    tensors,
    layout,
  };
}

function transferOf(checkpoint: Checkpoint, tensor: PlannedTensor, offset: number): Transfer {
  const { origin, target, name, shape } = tensor;
  const whole = { name, target, offset };
  if (origin.kind === 'computed') {
    const bytes = new Uint8Array(origin.values.buffer);
    const read = async (at: number, length: number) => bytes.slice(at, at + length);
    return { ...whole, source: 'F32', rows: 1, cols: shape[0], headRows: 0, read };
  }
  // A vector whose heads are interleaved (a bias) moves weight by weight.
  const cols = shape.length === 1 && origin.headRows > 0 ? 1 : shape[0];
  return {
    ...whole,
    source: origin.source,
    headRows: origin.headRows,
    rows: weightsOf(tensor) / cols,
    cols,
    read: (at, length) => checkpoint.read(origin.name, at, length),
  };
}

export interface ConversionReport {
  /** What happened to weights on the way, by tensor; tensors that nothing happened to are left out. */
  readonly tallies: ReadonlyMap<string, Tally>;
  readonly total: Tally;
}

/**
 * Writes the planned file. Memory stays at a few chunks of rows.
 * @throws input error: NaN or infinite weights, unless `options.allowNonFinite`.
 */
export async function writeConversion(
  checkpoint: Checkpoint,
  plan: ConversionPlan,
  sink: ByteSink,
  options: Omit<StreamOptions, 'label' | 'place'>,
): Promise<ConversionReport> {
  await sink.write(0, plan.layout.header);
  const transfers = plan.tensors.map((tensor, i) => transferOf(checkpoint, tensor, plan.layout.offsets[i]));
  const stream = { ...options, label: 'convert', place: checkpoint.name };
  const tallies = await streamTensors(transfers, sink, plan.layout.size, stream);
  return reportOf(plan.tensors, tallies);
}

function reportOf(tensors: readonly TensorSpec[], tallies: readonly Tally[]): ConversionReport {
  const changed = new Map<string, Tally>();
  for (const [i, tally] of tallies.entries()) {
    if (tally.nonFinite + tally.flushed + tally.rounded + tally.overflowed > 0) {
      changed.set(tensors[i].name, tally);
    }
  }
  return { tallies: changed, total: sumTallies(tallies) };
}

/** What happened to weights, as sentences for the user. */
export function reportLines(total: Tally, weights: number): string[] {
  const share = (count: number) =>
    `${count} of ${weights} weights (${((100 * count) / weights).toPrecision(2)} %)`;
  const lines: string[] = [];
  if (total.overflowed > 0)
    lines.push(
      `${share(total.overflowed)} are too large for f16 and became infinite: use --dtype bf16 or f32`,
    );
  if (total.flushed > 0)
    lines.push(`${share(total.flushed)} are too small for f16 and became zero; bf16 keeps them`);
  if (total.rounded > 0) lines.push(`${share(total.rounded)} were rounded on the way to f16`);
  if (total.nonFinite > 0) lines.push(`${share(total.nonFinite)} are NaN or infinite`);
  return lines;
}
