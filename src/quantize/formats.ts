/** Which format each tensor of a model gets in a mixture: overrides, recipes, fallbacks, refusals. */
import { usageError } from '../core/index.ts';
import { type GgufFile, type GgufTensor, getNumber, getNumbers, getString } from '../gguf/index.ts';
import { type FormatName, formatName } from '../quants/index.ts';
import { baseType, type Mixture, type QuantizeOptions } from './options.ts';
import {
  chooseFormat,
  FILE_TYPES,
  fitRows,
  isQuantizable,
  type ModelFacts,
  placeTensors,
  type RecipeSet,
} from './recipes/index.ts';

export interface TensorChoice {
  readonly format: FormatName;
  /** The format that the rows do not fit. */
  readonly instead?: FormatName;
}

/** A number, or the first of an array: llama.cpp lets some keys differ by layer. */
function firstNumber(file: GgufFile, key: string): number | undefined {
  if (file.metadata.get(key)?.type === 'array') return getNumbers(file.metadata, key, file.name)?.[0];
  return getNumber(file.metadata, key, file.name);
}

/** @throws input error: metadata of a wrong type. */
export function modelFacts(file: GgufFile): ModelFacts {
  const architecture = getString(file.metadata, 'general.architecture', file.name) ?? '';
  const number = (key: string) => firstNumber(file, `${architecture}.${key}`);
  const heads = number('attention.head_count') ?? 1;
  const kvHeads = number('attention.head_count_kv') ?? heads;
  return {
    architecture,
    layers: number('block_count') ?? 0,
    gqa: kvHeads > 0 ? Math.floor(heads / kvHeads) : 0,
    experts: number('expert_count') ?? 0,
  };
}

const LAYER = /^blk\.(\d+)\./;

/** llama.cpp's order of tensors: those outside of layers first, then by layer, then by name. */
export function sortTensors(tensors: readonly GgufTensor[]): GgufTensor[] {
  const layer = ({ name }: GgufTensor) => Number(LAYER.exec(name)?.[1] ?? -1);
  return [...tensors].sort((a, b) => layer(a) - layer(b) || (a.name < b.name ? -1 : 1));
}

/** The format named by --output-type and --embedding-type for a tensor, if they mean it. */
function edgeOption(
  name: string,
  tied: boolean,
  set: RecipeSet,
  options: QuantizeOptions,
): FormatName | undefined {
  const { outputType, embeddingType } = options;
  if (name === 'output.weight') return outputType;
  if (name !== 'token_embd.weight') return undefined;
  if (!tied) return embeddingType;
  return set.tiedOption === 'embedding' ? (embeddingType ?? outputType) : (outputType ?? embeddingType);
}

/** What a mixture gives a tensor by its own rules. */
function ofMixture(
  mixture: Mixture,
  name: string,
  options: QuantizeOptions,
  byType: (type: keyof typeof FILE_TYPES) => FormatName,
): FormatName {
  if (typeof mixture === 'string') return options.pure ? FILE_TYPES[mixture].format : byType(mixture);
  const rule = mixture.rules.find(({ match }) => match.test(name));
  if (rule) return rule.type;
  if (mixture.default) return mixture.default;
  return mixture.base ? byType(mixture.base) : 'F16';
}

function keeps(name: string, options: QuantizeOptions): boolean {
  if (options.leaveOutput && name === 'output.weight') return true;
  return options.keep?.some((pattern) => pattern.test(name)) ?? false;
}

/**
 * The format of each tensor, by name. @param tensors in output order.
 * Precedence: never quantized, kept, output and embedding options, tensor types, recipes, shape fallback.
 */
export function chooseFormats(
  mixture: Mixture,
  facts: ModelFacts,
  tensors: readonly GgufTensor[],
  options: QuantizeOptions,
): Map<string, TensorChoice> {
  const set = options.recipes;
  const placed = placeTensors(set, facts, tensors);
  const tied = !tensors.some(({ name }) => name === 'output.weight');
  const choices = new Map<string, TensorChoice>();
  for (const { name, shape, format: source } of tensors) {
    const place = placed.get(name);
    const kept = source.kind === 'integer' || !isQuantizable(name, shape) || keeps(name, options);
    if (kept || !place) {
      choices.set(name, { format: formatName(source) });
      continue;
    }
    const wanted =
      edgeOption(name, tied, set, options) ??
      options.tensorTypes?.find(({ pattern }) => pattern.test(name))?.format ??
      ofMixture(mixture, name, options, (type) =>
        chooseFormat(set, type, facts, place, options.imatrix !== null),
      );
    const format = fitRows(set, wanted, shape[0]);
    choices.set(name, format === wanted ? { format } : { format, instead: wanted });
  }
  return choices;
}

/** Throws a usage error for an override that would change nothing. */
export function checkOverrides(tensors: readonly GgufTensor[], options: QuantizeOptions): void {
  const names = tensors.filter(({ name, shape }) => isQuantizable(name, shape)).map(({ name }) => name);
  const patterns: (readonly [string, RegExp])[] = [
    ...(options.tensorTypes ?? []).map(({ pattern }) => ['--tensor-type', pattern] as const),
    ...(options.keep ?? []).map((pattern) => ['--keep', pattern] as const),
    ...options.mixtures.flatMap((mixture) =>
      typeof mixture === 'string'
        ? []
        : mixture.rules.map(({ match }) => [`recipe ${mixture.name}`, match] as const),
    ),
  ];
  for (const [option, pattern] of patterns) {
    if (names.some((name) => pattern.test(name))) continue;
    throw usageError(
      `${option}: pattern "${pattern.source}" matches no tensor that can be quantized`,
      `names look like ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
    );
  }
  const has = (name: string) => names.includes(name);
  const edge = has('output.weight') || has('token_embd.weight');
  if (options.outputType && !edge) throw usageError('--output-type: the model has no output tensor');
  if (options.embeddingType && !has('token_embd.weight'))
    throw usageError('--embedding-type: the model has no token_embd.weight');
  if (options.leaveOutput && !has('output.weight'))
    throw usageError(
      '--leave-output: the model has no output.weight',
      'its embedding serves as output: use --keep',
    );
}

/** Number for `general.file_type`: that of the file type, or of the one with the mixture's default format. */
export function fileTypeId(mixture: Mixture): number {
  const base = baseType(mixture);
  if (base) return FILE_TYPES[base].id;
  const standard = typeof mixture === 'string' ? undefined : mixture.default;
  return Object.values(FILE_TYPES).find(({ format }) => format === standard)?.id ?? 1;
}
