/** The interpreter of recipe sets: from a model's tensors and a file type to the format of each tensor. */
import { FORMATS, type FormatName, type TensorFormat } from '../../quants/index.ts';
import { FILE_TYPES, type FileTypeName } from './file-types.ts';
import { ATTN_V_COUNTED } from './llama-cpp.ts';
import type { Condition, RecipeSet, Rule, TensorClass } from './types.ts';

/** What the rules ask of a model. */
export interface ModelFacts {
  readonly architecture: string;
  readonly layers: number;
  /** Query heads a key-value head. */
  readonly gqa: number;
  readonly experts: number;
}

/** A tensor as the rules see it. */
export interface RecipeTensor {
  readonly name: string;
  /** Row length first. */
  readonly shape: readonly number[];
}

interface Placed extends RecipeTensor {
  readonly class: TensorClass;
  /** Running index among the tensors of its class, and what `n` is for that class. */
  readonly index: number;
  readonly count: number;
}

/** Whether half of the layers, those at both ends and every third between, includes layer `i` of `n`. */
export function moreBits(i: number, n: number): boolean {
  const eighth = Math.floor(n / 8);
  return i < eighth || i >= Math.floor((7 * n) / 8) || (i - eighth) % 3 === 2;
}

/** One test for each field of a condition. */
const TESTS: {
  readonly [K in keyof Required<Condition>]: (
    wanted: NonNullable<Condition[K]>,
    tensor: Placed,
    context: { facts: ModelFacts; imatrix: boolean; format: TensorFormat; chosen: FormatName },
  ) => boolean;
} = {
  imatrix: (wanted, _, { imatrix }) => imatrix === wanted,
  gqaAtLeast: (wanted, _, { facts }) => facts.gqa >= wanted,
  experts: (wanted, _, { facts }) => facts.experts === wanted,
  expertsAtLeast: (wanted, _, { facts }) => facts.experts >= wanted,
  architectures: (wanted, _, { facts }) => wanted.includes(facts.architecture),
  layers: (wanted, _, { facts }) => facts.layers === wanted,
  indexBelow: (wanted, { index }) => index < wanted,
  first: (wanted, { index, count }) => index < Math.floor(count / wanted),
  middle: (_, { index, count }) => index >= Math.floor(count / 8) && index < Math.floor((7 * count) / 8),
  moreBits: (_, { index, count }) => moreBits(index, count),
  rowNotWhole: (_, { shape }, { format }) => shape[0] % format.blockSize !== 0,
  stacked: (wanted, { shape }) => (shape[2] ?? 1) > 1 === wanted,
  chosen: (wanted, _, { chosen }) => wanted.includes(chosen),
};

function holds(when: Condition, tensor: Placed, context: Parameters<(typeof TESTS)['chosen']>[2]): boolean {
  return (Object.keys(when) as (keyof Condition)[]).every((key) => {
    const test = TESTS[key] as (wanted: unknown, tensor: Placed, of: typeof context) => boolean;
    return test(when[key], tensor, context);
  });
}

const LAYER = /^blk\.(\d+)\./;

/** Classes and running indices of tensors in output order. Experts are indexed by their layer number. */
export function placeTensors(
  set: RecipeSet,
  facts: ModelFacts,
  tensors: readonly RecipeTensor[],
): Map<string, Placed> {
  const tied = !tensors.some(({ name }) => name === 'output.weight');
  const counts = new Map<TensorClass, number>();
  const attentionV = tensors.filter(({ name }) => ATTN_V_COUNTED.some((part) => name.includes(part))).length;
  const placed = new Map<string, Placed>();
  for (const tensor of tensors) {
    const kind = classify(set, tensor.name, tied);
    const running = counts.get(kind) ?? 0;
    counts.set(kind, running + 1);
    const layer = LAYER.exec(tensor.name)?.[1];
    const byLayer = kind.startsWith('ffn_') && facts.experts > 1 && layer !== undefined;
    const index = byLayer ? Number(layer) : running;
    placed.set(tensor.name, {
      ...tensor,
      class: kind,
      index,
      count: kind === 'attn_v' ? attentionV : facts.layers,
    });
  }
  return placed;
}

function classify(set: RecipeSet, name: string, tied: boolean): TensorClass {
  if (name === 'output.weight') return 'output';
  if (name === 'token_embd.weight') return tied ? 'output' : 'token_embd';
  if (name === 'per_layer_token_embd.weight') return 'token_embd';
  return set.classes.find(([, text]) => name.includes(text))?.[0] ?? 'other';
}

/**
 * The format that a set's rules give a tensor in a file type, before overrides and fallbacks.
 * @param imatrix whether an importance matrix is given at all.
 */
export function chooseFormat(
  set: RecipeSet,
  type: FileTypeName,
  facts: ModelFacts,
  tensor: Placed,
  imatrix: boolean,
): FormatName {
  const standard = FILE_TYPES[type].format;
  const first = (rules: readonly Rule[], chosen: FormatName): FormatName | undefined => {
    const context = { facts, imatrix, format: FORMATS[standard], chosen };
    const rule = rules.find(
      (row) =>
        (row.tensor === 'any' || row.tensor === tensor.class) &&
        (row.types === undefined || row.types.includes(type)) &&
        (row.when === undefined || holds(row.when, tensor, context)),
    );
    if (!rule) return undefined;
    return rule.format === 'default' ? standard : rule.format;
  };
  const chosen = first(set.rules, standard) ?? standard;
  return first(set.adjust, chosen) ?? chosen;
}

/** The format that can hold rows of `cols` weights: itself, the set's fallback for it, or F16. */
export function fitRows(set: RecipeSet, format: FormatName, cols: number): FormatName {
  const fits = (name: FormatName): boolean => cols % FORMATS[name].blockSize === 0;
  if (fits(format)) return format;
  const instead = set.fallback[format];
  return instead !== undefined && fits(instead) ? instead : 'F16';
}

/**
 * Whether a tensor is refused without its importance: formats of so few bits that an unweighted choice is
 * garbage. The embedding and the output are exempt, as in llama.cpp.
 * @param type undefined for a user's own recipe.
 */
export function needsImportance(
  set: RecipeSet,
  name: string,
  format: FormatName,
  type: FileTypeName | undefined,
): boolean {
  if (name === 'token_embd.weight' || name === 'output.weight') return false;
  return set.needsImportance.includes(format) || (type === 'Q2_K_S' && format === 'Q2_K');
}
