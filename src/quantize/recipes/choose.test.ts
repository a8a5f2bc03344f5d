/** The recipe sets against written-down expectations (Phi-3) and against llama.cpp's files where they are. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { DATA } from '../../../test/oracle.ts';
import { FORMATS, formatBytes } from '../../quants/index.ts';
import {
  chooseFormat,
  type FileTypeName,
  fileTypeByName,
  fitRows,
  isQuantizable,
  type ModelFacts,
  moreBits,
  needsImportance,
  parseFileTypes,
  placeTensors,
  type RecipeTensor,
  recipeSet,
} from './index.ts';

/** Names and shapes of a model's tensors in output order. */
function layered(
  layers: number,
  outer: RecipeTensor[],
  inner: Record<string, readonly number[]>,
): RecipeTensor[] {
  const blocks = Array.from({ length: layers }, (_, l) =>
    Object.entries(inner).map(([name, shape]) => ({ name: `blk.${l}.${name}.weight`, shape })),
  );
  return [...outer, ...blocks.flat()];
}

const PHI3: ModelFacts = { architecture: 'phi3', layers: 32, gqa: 1, experts: 0 };
const PHI3_TENSORS = layered(
  32,
  [
    { name: 'output.weight', shape: [3072, 32064] },
    { name: 'output_norm.weight', shape: [3072] },
    { name: 'token_embd.weight', shape: [3072, 32064] },
  ],
  {
    attn_norm: [3072],
    attn_output: [3072, 3072],
    attn_qkv: [3072, 9216],
    ffn_down: [8192, 3072],
    ffn_norm: [3072],
    ffn_up: [3072, 16384],
  },
);

/** Formats of all tensors by name. */
function recipe(
  set: string,
  type: FileTypeName,
  facts: ModelFacts,
  tensors: RecipeTensor[],
  imatrix: boolean,
) {
  const recipes = recipeSet(set);
  const placed = placeTensors(recipes, facts, tensors);
  return new Map(
    tensors.map(({ name, shape }) => {
      const tensor = placed.get(name);
      if (!tensor || !isQuantizable(name, shape)) return [name, 'F32' as const];
      return [name, fitRows(recipes, chooseFormat(recipes, type, facts, tensor, imatrix), shape[0])];
    }),
  );
}

/** `attn_qkv Q5_K x2 + Q4_K x30` as `Q5_K x2 + Q4_K x30`, and the size of all tensors in MiB. */
function phi3(set: string, type: FileTypeName, imatrix: boolean): Record<string, string> {
  const formats = recipe(set, type, PHI3, PHI3_TENSORS, imatrix);
  const kinds = ['attn_qkv', 'attn_output', 'ffn_down', 'ffn_up', 'output', 'token_embd'];
  const summary = kinds.map((kind) => {
    const counts = new Map<string, number>();
    for (const [name, format] of formats) {
      if (name === `${kind}.weight` || name.endsWith(`.${kind}.weight`))
        counts.set(format, (counts.get(format) ?? 0) + 1);
    }
    const [only] = counts.keys();
    const parts = [...counts].map(([format, n]) => `${format} x${n}`);
    return [kind, counts.size === 1 ? only : parts.join(' + ')];
  });
  const bytes = PHI3_TENSORS.map(({ name, shape }) =>
    formatBytes(
      FORMATS[formats.get(name) ?? 'F32'],
      shape.reduce((a, b) => a * b),
    ),
  ).reduce((a, b) => a + b);
  return { ...Object.fromEntries(summary), MiB: (bytes / 2 ** 20).toFixed(1) };
}

/** Expected rows: sets, file type, imatrix, MiB, attn_qkv, attn_output, ffn_down, ffn_up, output, token_embd. */
const BOTH = '2025 2026';
const TABLE: readonly (readonly [string, FileTypeName, boolean, ...string[]])[] = [
  ['2025', 'Q2_K', true, '1349.9', 'Q2_K', 'Q3_K', 'Q3_K', 'Q2_K', 'Q6_K', 'Q2_K'],
  ['2026', 'Q2_K', true, '1437.6', 'Q3_K', 'Q3_K', 'Q3_K', 'Q2_K', 'Q6_K', 'Q2_K'],
  [BOTH, 'Q2_K_S', true, '1265.1', 'Q2_K', 'Q2_K', 'Q4_K x4 + Q2_K x28', 'Q2_K', 'Q6_K', 'Q2_K'],
  [BOTH, 'Q3_K_S', true, '1603.2', 'Q3_K', 'Q3_K', 'Q3_K', 'Q3_K', 'Q6_K', 'Q3_K'],
  ['2025', 'Q3_K_M', true, '1864.2', 'Q4_K', 'Q4_K', 'Q5_K x2 + Q4_K x30', 'Q3_K', 'Q6_K', 'Q3_K'],
  [
    '2026',
    'Q3_K_M',
    false,
    '1870.9',
    'Q5_K x2 + Q4_K x30',
    'Q4_K',
    'Q5_K x2 + Q4_K x30',
    'Q3_K',
    'Q6_K',
    'Q3_K',
  ],
  ['2025', 'Q3_K_L', true, '1990.2', 'Q4_K', 'Q5_K', 'Q5_K', 'Q3_K', 'Q6_K', 'Q3_K'],
  ['2026', 'Q3_K_L', false, '2098.2', 'Q5_K', 'Q5_K', 'Q5_K', 'Q3_K', 'Q6_K', 'Q3_K'],
  ['2025', 'Q4_K_S', true, '2086.7', 'Q4_K', 'Q4_K', 'Q5_K x4 + Q4_K x28', 'Q4_K', 'Q6_K', 'Q4_K'],
  [
    '2026',
    'Q4_K_S',
    false,
    '2100.2',
    'Q5_K x4 + Q4_K x28',
    'Q4_K',
    'Q5_K x4 + Q4_K x28',
    'Q4_K',
    'Q6_K',
    'Q4_K',
  ],
  ['2025', 'Q4_K_M', true, '2281.7', 'Q5_K', 'Q4_K', 'Q6_K x16 + Q4_K x16', 'Q4_K', 'Q6_K', 'Q4_K'],
  [
    '2026',
    'Q4_K_M',
    false,
    '2285.0',
    'Q6_K x16 + Q4_K x16',
    'Q4_K',
    'Q6_K x16 + Q4_K x16',
    'Q4_K',
    'Q6_K',
    'Q4_K',
  ],
  [BOTH, 'Q5_K_S', true, '2518.4', 'Q5_K', 'Q5_K', 'Q5_K', 'Q5_K', 'Q6_K', 'Q5_K'],
  ['2025', 'Q5_K_M', true, '2684.2', 'Q6_K', 'Q5_K', 'Q6_K x16 + Q5_K x16', 'Q5_K', 'Q6_K', 'Q5_K'],
  [
    '2026',
    'Q5_K_M',
    false,
    '2626.8',
    'Q6_K x16 + Q5_K x16',
    'Q5_K',
    'Q6_K x16 + Q5_K x16',
    'Q5_K',
    'Q6_K',
    'Q5_K',
  ],
  [BOTH, 'Q6_K', true, '2989.9', 'Q6_K', 'Q6_K', 'Q6_K', 'Q6_K', 'Q6_K', 'Q6_K'],
  ['2025', 'IQ1_S', true, '801.9', 'IQ1_S', 'IQ2_XXS', 'Q2_K x4 + IQ1_S x28', 'IQ1_S', 'Q5_K', 'Q2_K'],
  ['2026', 'IQ1_S', true, '916.7', 'Q2_K', 'IQ2_XXS', 'Q2_K x4 + IQ1_S x28', 'IQ1_S', 'Q5_K', 'Q2_K'],
  ['2025', 'IQ1_M', true, '873.9', 'IQ1_M', 'IQ2_XXS', 'Q2_K x4 + IQ1_M x28', 'IQ1_M', 'Q5_K', 'Q2_K'],
  ['2026', 'IQ1_M', true, '968.4', 'Q2_K', 'IQ2_XXS', 'Q2_K x4 + IQ1_M x28', 'IQ1_M', 'Q5_K', 'Q2_K'],
  [
    '2025',
    'IQ2_XXS',
    true,
    '993.9',
    'IQ2_XXS',
    'IQ2_XXS',
    'Q2_K x4 + IQ2_XXS x28',
    'IQ2_XXS',
    'Q5_K',
    'Q2_K',
  ],
  ['2026', 'IQ2_XXS', true, '1054.7', 'Q2_K', 'IQ2_XXS', 'Q2_K x4 + IQ2_XXS x28', 'IQ2_XXS', 'Q5_K', 'Q2_K'],
  ['2025', 'IQ2_XS', true, '1098.9', 'IQ2_XS', 'IQ2_XS', 'Q2_K x4 + IQ2_XS x28', 'IQ2_XS', 'Q5_K', 'Q2_K'],
  ['2026', 'IQ2_XS', true, '1132.7', 'Q2_K', 'IQ2_XS', 'Q2_K x4 + IQ2_XS x28', 'IQ2_XS', 'Q5_K', 'Q2_K'],
  ['2025', 'IQ2_S', true, '1158.7', 'IQ2_XS', 'IQ3_S', 'IQ3_S x4 + IQ2_XS x28', 'IQ2_XS', 'Q5_K', 'IQ3_S'],
  ['2026', 'IQ2_S', true, '1280.2', 'IQ3_S', 'IQ3_S', 'IQ3_S x4 + IQ2_XS x28', 'IQ2_XS', 'Q5_K', 'IQ3_S'],
  ['2025', 'IQ2_M', true, '1254.7', 'IQ2_S', 'IQ3_S', 'IQ3_S x4 + IQ2_S x28', 'IQ2_S', 'Q5_K', 'IQ3_S'],
  ['2026', 'IQ2_M', true, '1349.2', 'IQ3_S', 'IQ3_S', 'IQ3_S x4 + IQ2_S x28', 'IQ2_S', 'Q5_K', 'IQ3_S'],
  [BOTH, 'IQ3_XXS', true, '1442.2', 'IQ3_XXS', 'IQ3_S', 'IQ3_XXS', 'IQ3_XXS', 'Q5_K', 'IQ3_S'],
  ['2025', 'IQ3_XXS', false, '1491.0', 'IQ3_XXS', 'IQ3_S', 'Q4_K x4 + Q3_K x28', 'IQ3_XXS', 'Q5_K', 'IQ3_S'],
  [BOTH, 'IQ3_XS', true, '1549.2', 'IQ3_S', 'IQ3_S', 'IQ3_S', 'IQ3_S x8 + IQ3_XXS x24', 'Q6_K', 'IQ3_S'],
  [BOTH, 'IQ3_S', false, '1603.2', 'IQ3_S', 'IQ3_S', 'IQ3_S', 'IQ3_S', 'Q6_K', 'IQ3_S'],
  [BOTH, 'IQ3_M', true, '1768.9', 'Q4_K', 'Q4_K', 'Q4_K x4 + IQ3_S x28', 'IQ3_S', 'Q6_K', 'IQ3_S'],
  [BOTH, 'IQ4_XS', true, '1963.7', 'IQ4_XS', 'IQ4_XS', 'IQ4_XS', 'IQ4_XS', 'Q6_K', 'IQ4_XS'],
  [BOTH, 'IQ4_XS', false, '1978.7', 'IQ4_XS', 'IQ4_XS', 'Q5_K x4 + IQ4_XS x28', 'IQ4_XS', 'Q6_K', 'IQ4_XS'],
  [BOTH, 'IQ4_NL', true, '2074.7', 'IQ4_NL', 'IQ4_NL', 'IQ4_NL', 'IQ4_NL', 'Q6_K', 'IQ4_NL'],
  [BOTH, 'IQ4_NL', false, '2086.7', 'IQ4_NL', 'IQ4_NL', 'Q5_K x4 + IQ4_NL x28', 'IQ4_NL', 'Q6_K', 'IQ4_NL'],
];

describe('Phi-3-mini gets the formats and the size that llama.cpp gives it', () => {
  for (const [sets, type, imatrix, MiB, ...expected] of TABLE) {
    for (const set of sets.split(' ')) {
      test(`${type} of ${set} ${imatrix ? 'with' : 'without'} an importance matrix: ${MiB} MiB`, () => {
        const [attn_qkv, attn_output, ffn_down, ffn_up, output, token_embd] = expected;
        expect(phi3(`llama.cpp-${set}`, type, imatrix)).toEqual({
          attn_qkv,
          attn_output,
          ffn_down,
          ffn_up,
          output,
          token_embd,
          MiB,
        });
      });
    }
  }
});

test('more bits go to both eighths and to every third layer between: 16 of 32', () => {
  const chosen = Array.from({ length: 32 }, (_, i) => i).filter((i) => moreBits(i, 32));
  expect(chosen).toEqual([0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]);
});

test('with eight experts the attention gets Q8_0 and Q5_K, and feed-forward rules count layers', () => {
  const facts = { architecture: 'llama', layers: 32, gqa: 4, experts: 8 };
  const tensors = layered(32, [{ name: 'token_embd.weight', shape: [4096, 32000] }], {
    attn_k: [4096, 1024],
    attn_output: [4096, 4096],
    attn_v: [4096, 1024],
    ffn_down_exps: [14336, 4096, 8],
    ffn_gate_inp: [4096, 8],
  });
  const formats = recipe('llama.cpp-2026', 'Q4_K_M', facts, tensors, true);
  expect([...formats].filter(([name]) => !/blk\.([1-4]|[6-9]|..)\./.test(name))).toEqual([
    ['token_embd.weight', 'Q6_K'],
    ['blk.0.attn_k.weight', 'Q8_0'],
    ['blk.0.attn_output.weight', 'Q5_K'],
    ['blk.0.attn_v.weight', 'Q8_0'],
    ['blk.0.ffn_down_exps.weight', 'Q6_K'],
    ['blk.0.ffn_gate_inp.weight', 'F32'],
    ['blk.5.attn_k.weight', 'Q8_0'],
    ['blk.5.attn_output.weight', 'Q5_K'],
    ['blk.5.attn_v.weight', 'Q8_0'],
    ['blk.5.ffn_down_exps.weight', 'Q4_K'],
    ['blk.5.ffn_gate_inp.weight', 'F32'],
  ]);
});

test('the attn_v of an 80-layer Llama gets Q5_K where others get Q4_K', () => {
  const tensors = layered(80, [], { attn_v: [8192, 1024] });
  const of = (layers: number) =>
    recipe('llama.cpp-2026', 'Q4_K_M', { architecture: 'llama', layers, gqa: 8, experts: 0 }, tensors, true);
  expect(of(80).get('blk.10.attn_v.weight')).toBe('Q5_K');
  expect(of(79).get('blk.10.attn_v.weight')).toBe('Q4_K');
});

test('rows that are not whole blocks fall back as each set says, and to F16 where nothing fits', () => {
  const [y2025, y2026] = ['llama.cpp-2025', 'llama.cpp-2026'].map(recipeSet);
  const formats = ['IQ1_S', 'IQ4_XS', 'Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'TQ1_0'] as const;
  expect(formats.map((format) => fitRows(y2026, format, 576))).toEqual([
    'IQ4_NL',
    'IQ4_NL',
    'Q4_0',
    'Q4_0',
    'Q5_0',
    'Q5_1',
    'Q8_0',
    'Q4_0',
  ]);
  expect(formats.map((format) => fitRows(y2025, format, 576))).toEqual([
    'IQ4_NL',
    'IQ4_NL',
    'IQ4_NL',
    'IQ4_NL',
    'Q5_0',
    'Q5_1',
    'Q8_0',
    'Q4_0',
  ]);
  expect(fitRows(y2026, 'Q6_K', 48)).toBe('F16');
  expect(fitRows(y2026, 'Q8_0', 48)).toBe('F16');
});

test('vectors, norms and small delicate matrices are never quantized', () => {
  const quantizable = (name: string, ...shape: number[]) => isQuantizable(name, shape);
  expect(quantizable('blk.0.attn_q.weight', 64, 64)).toBe(true);
  expect(quantizable('blk.0.ffn_down_exps.weight', 64, 64, 4)).toBe(true);
  expect(quantizable('blk.0.attn_q.weight', 64, 1)).toBe(false);
  expect(quantizable('blk.0.attn_q.bias', 64, 64)).toBe(false);
  expect(quantizable('blk.0.attn_norm.weight', 64, 64)).toBe(false);
  expect(quantizable('blk.0.ffn_gate_inp.weight', 64, 8)).toBe(false);
  expect(quantizable('position_embd.weight', 64, 8)).toBe(false);
});

test('formats of two bits and fewer need importance, but for embedding and output', () => {
  const [y2025, y2026] = ['llama.cpp-2025', 'llama.cpp-2026'].map(recipeSet);
  expect(needsImportance(y2026, 'blk.0.ffn_up.weight', 'IQ2_XS', 'IQ2_XS')).toBe(true);
  expect(needsImportance(y2026, 'token_embd.weight', 'IQ2_XS', 'IQ2_XS')).toBe(false);
  expect(needsImportance(y2026, 'blk.0.ffn_up.weight', 'Q2_K', 'Q2_K_S')).toBe(true);
  expect(needsImportance(y2026, 'blk.0.ffn_up.weight', 'Q2_K', 'Q2_K')).toBe(false);
  expect(needsImportance(y2026, 'blk.0.ffn_up.weight', 'IQ3_XXS', 'IQ3_XS')).toBe(true);
  expect(needsImportance(y2025, 'blk.0.ffn_up.weight', 'IQ3_XXS', 'IQ3_XS')).toBe(false);
});

test('file types are named in any case, by alias and by group', () => {
  expect(parseFileTypes('q4_k, IQ4_XS,Q4_K_M')).toEqual(['Q4_K_M', 'IQ4_XS']);
  expect(parseFileTypes('k')).toHaveLength(10);
  expect(parseFileTypes('iq')).toHaveLength(12);
  expect(parseFileTypes('all')).toHaveLength(27);
  expect(() => parseFileTypes('Q9_K')).toThrow('unknown file type "Q9_K"');
  expect(() => parseFileTypes('constructor')).toThrow('unknown file type');
  expect(() => parseFileTypes(' ,')).toThrow('no file type named');
  expect(fileTypeByName('toString')).toBeUndefined();
});

const FIXTURES: readonly [string, ModelFacts][] = [
  ['a-phi3', { architecture: 'phi3', layers: 4, gqa: 1, experts: 0 }],
  ['b-llama', { architecture: 'llama', layers: 3, gqa: 4, experts: 0 }],
];

for (const [model, facts] of FIXTURES) {
  const file = path.join(DATA, 'fixtures', `${model}.expected.json`);
  const missing = !existsSync(file);
  if (missing) console.warn(`recipes of ${model} skipped: no fixtures at ${file}`);
  test.skipIf(missing)(`every tensor of ${model} gets what llama.cpp gave it, in all its file types`, () => {
    const { types } = JSON.parse(readFileSync(file, 'utf8')) as {
      types: Record<string, { tensors: Record<string, string> }>;
    };
    expect(Object.keys(types)).toHaveLength(27);
    for (const [type, { tensors }] of Object.entries(types)) {
      const names = Object.keys(tensors).map((name) => ({
        name,
        shape: name.includes('norm') ? [512] : [512, 512],
      }));
      const formats = recipe('llama.cpp-2026', fileTypeByName(type) ?? 'F32', facts, names, true);
      expect(Object.fromEntries(formats), type).toEqual(tensors);
    }
  });
}
