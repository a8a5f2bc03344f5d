/**
 * llama.cpp's choices of 2025-02 and of 2026-08 as two recipe sets. They share all rows but few: in 2026 the
 * fused `attn_qkv` counts as an attn_v (in 2025 it had rules of its own), and Q2_K and Q3_K rows that are not
 * whole blocks fall back to Q4_0 (2025: IQ4_NL). `gqa`, `experts`, `i` and `n` are explained in types.ts.
 */
import type { FileTypeName } from './file-types.ts';
import type { RecipeSet, Rule } from './types.ts';

/** File types of less than 3 bits: of the block tensors only the LOW rows below concern them. */
const LOW = ['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ2_M'] as const satisfies FileTypeName[];
const LOW_3S = ['IQ2_S', 'IQ2_M'] as const satisfies FileTypeName[];
const LOW_2K = ['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS'] as const satisfies FileTypeName[];
const TERNARY = ['TQ1_0', 'TQ2_0', 'Q2_0'] as const satisfies FileTypeName[];
const FLOATS = ['F32', 'F16', 'BF16'] as const satisfies FileTypeName[];
/** With 8 experts the attention is a small share of the file. */
const MIXTRAL_OUTPUT = [
  ...['Q2_K', 'Q3_K_S', 'Q3_K_M', 'Q4_K_S', 'Q4_K_M', 'IQ3_XXS', 'IQ3_XS', 'IQ3_S', 'IQ3_M', 'IQ4_NL'],
  'IQ4_XS',
] as FileTypeName[];

const EDGES: readonly Rule[] = [
  { tensor: 'any', types: FLOATS, format: 'default' },
  { tensor: 'output', types: ['MXFP4_MOE'], format: 'Q8_0' },
  { tensor: 'output', when: { rowNotWhole: true }, format: 'Q8_0' },
  { tensor: 'output', when: { architectures: ['falcon'] }, format: 'Q8_0' },
  { tensor: 'output', types: [...LOW, 'IQ3_XXS'], format: 'Q5_K' },
  { tensor: 'output', types: ['Q8_0'], format: 'default' },
  { tensor: 'output', format: 'Q6_K' },
  { tensor: 'any', types: ['MXFP4_MOE'], when: { stacked: true }, format: 'MXFP4' },
  { tensor: 'any', types: ['MXFP4_MOE'], format: 'Q8_0' },
  { tensor: 'token_embd', types: LOW_2K, format: 'Q2_K' },
  { tensor: 'token_embd', types: [...LOW_3S, 'IQ3_XXS'], format: 'IQ3_S' },
  { tensor: 'token_embd', types: TERNARY, format: 'Q4_K' },
  { tensor: 'token_embd', format: 'default' },
];

const LOW_ROWS: readonly Rule[] = [
  { tensor: 'attn_v', types: LOW, when: { gqaAtLeast: 4 }, format: 'Q4_K' },
  { tensor: 'attn_v', types: LOW, when: { expertsAtLeast: 4 }, format: 'Q4_K' },
  { tensor: 'attn_v', types: LOW_3S, format: 'IQ3_S' },
  { tensor: 'attn_v', types: LOW_2K, format: 'Q2_K' },
  { tensor: 'attn_k', types: LOW, when: { experts: 8 }, format: 'Q4_K' },
  { tensor: 'ffn_down', types: LOW_3S, when: { first: 8 }, format: 'IQ3_S' },
  { tensor: 'ffn_down', types: LOW_2K, when: { first: 8 }, format: 'Q2_K' },
  { tensor: 'attn_output', types: LOW, when: { experts: 8 }, format: 'Q5_K' },
  { tensor: 'attn_output', types: ['IQ1_S', 'IQ1_M'], format: 'IQ2_XXS' },
  { tensor: 'attn_output', types: LOW_3S, format: 'IQ3_S' },
  { tensor: 'any', types: LOW, format: 'default' },
];

const ATTENTION: readonly Rule[] = [
  { tensor: 'attn_v', when: { experts: 8 }, format: 'Q8_0' },
  {
    tensor: 'attn_v',
    types: ['Q2_K', 'Q2_K_S', 'IQ3_XXS', 'IQ3_XS', 'IQ3_S'],
    when: { gqaAtLeast: 4 },
    format: 'Q4_K',
  },
  { tensor: 'attn_v', types: ['Q2_K'], format: 'Q3_K' },
  { tensor: 'attn_v', types: ['IQ3_XXS'], when: { imatrix: false }, format: 'IQ3_S' },
  { tensor: 'attn_v', types: ['IQ3_M'], format: 'Q4_K' },
  { tensor: 'attn_v', types: ['Q3_K_M'], when: { indexBelow: 2 }, format: 'Q5_K' },
  { tensor: 'attn_v', types: ['Q3_K_M'], format: 'Q4_K' },
  { tensor: 'attn_v', types: ['Q3_K_L'], format: 'Q5_K' },
  { tensor: 'attn_v', types: ['IQ4_NL', 'IQ4_XS'], when: { gqaAtLeast: 4 }, format: 'Q5_K' },
  { tensor: 'attn_v', types: ['Q4_K_M', 'Q5_K_M'], when: { moreBits: true }, format: 'Q6_K' },
  { tensor: 'attn_v', types: ['Q4_K_S'], when: { indexBelow: 4 }, format: 'Q5_K' },
  { tensor: 'attn_k', when: { experts: 8 }, format: 'Q8_0' },
  { tensor: 'attn_k', types: ['IQ3_XS'], format: 'IQ3_XXS' },
  { tensor: 'attn_k', types: ['IQ3_XXS'], format: 'IQ2_S' },
  { tensor: 'attn_q', types: ['IQ3_XS'], format: 'IQ3_XXS' },
  { tensor: 'attn_q', types: ['IQ3_XXS'], format: 'IQ2_S' },
  { tensor: 'attn_qkv', types: ['Q3_K_M', 'Q3_K_L', 'IQ3_M'], format: 'Q4_K' },
  { tensor: 'attn_qkv', types: ['Q4_K_M'], format: 'Q5_K' },
  { tensor: 'attn_qkv', types: ['Q5_K_M'], format: 'Q6_K' },
  { tensor: 'attn_output', types: MIXTRAL_OUTPUT, when: { experts: 8 }, format: 'Q5_K' },
  { tensor: 'attn_output', when: { experts: 8 }, format: 'default' },
  { tensor: 'attn_output', types: ['Q2_K'], format: 'Q3_K' },
  { tensor: 'attn_output', types: ['IQ3_XXS'], format: 'IQ3_S' },
  { tensor: 'attn_output', types: ['Q3_K_M', 'IQ3_M'], format: 'Q4_K' },
  { tensor: 'attn_output', types: ['Q3_K_L'], format: 'Q5_K' },
];

const FEED_FORWARD: readonly Rule[] = [
  { tensor: 'ffn_down', types: ['Q2_K'], format: 'Q3_K' },
  { tensor: 'ffn_down', types: ['Q2_K_S'], when: { first: 8 }, format: 'Q4_K' },
  { tensor: 'ffn_down', types: ['IQ3_XXS'], when: { imatrix: false, first: 8 }, format: 'Q4_K' },
  { tensor: 'ffn_down', types: ['IQ3_XXS'], when: { imatrix: false }, format: 'Q3_K' },
  { tensor: 'ffn_down', types: ['Q3_K_M'], when: { first: 16 }, format: 'Q5_K' },
  { tensor: 'ffn_down', types: ['Q3_K_M'], format: 'Q4_K' },
  { tensor: 'ffn_down', types: ['IQ3_M'], when: { first: 8 }, format: 'Q4_K' },
  { tensor: 'ffn_down', types: ['IQ3_M'], when: { experts: 8, moreBits: true }, format: 'Q4_K' },
  { tensor: 'ffn_down', types: ['Q3_K_L'], format: 'Q5_K' },
  { tensor: 'ffn_down', types: ['Q4_K_M', 'Q5_K_M'], when: { moreBits: true }, format: 'Q6_K' },
  { tensor: 'ffn_down', types: ['IQ4_NL', 'IQ4_XS'], when: { imatrix: false, first: 8 }, format: 'Q5_K' },
  { tensor: 'ffn_down', types: ['Q4_K_S'], when: { first: 8 }, format: 'Q5_K' },
  { tensor: 'ffn_down', types: ['Q4_0'], when: { imatrix: true, first: 8 }, format: 'Q4_1' },
  { tensor: 'ffn_down', types: ['Q5_0'], when: { imatrix: true, first: 8 }, format: 'Q5_1' },
  { tensor: 'ffn_gate', types: ['IQ3_XS'], when: { middle: true }, format: 'IQ3_XXS' },
  { tensor: 'ffn_up', types: ['IQ3_XS'], when: { middle: true }, format: 'IQ3_XXS' },
];

/** Llama-70B: 8 heads share one attn_v, which is small and so gets more bits. */
const ADJUST: readonly Rule[] = [
  {
    tensor: 'attn_v',
    when: { architectures: ['llama', 'qwen2'], layers: 80, chosen: ['Q3_K', 'Q4_K'] },
    format: 'Q5_K',
  },
];

const CLASSES = [
  ['attn_k', 'attn_k.weight'],
  ['attn_q', 'attn_q.weight'],
  ['ffn_down', 'ffn_down'],
  ['attn_output', 'attn_output.weight'],
  ['attn_qkv', 'attn_qkv.weight'],
  ['ffn_gate', 'ffn_gate'],
  ['ffn_up', 'ffn_up'],
] as const;

const FALLBACK: RecipeSet['fallback'] = {
  IQ1_S: 'IQ4_NL',
  IQ1_M: 'IQ4_NL',
  IQ2_XXS: 'IQ4_NL',
  IQ2_XS: 'IQ4_NL',
  IQ2_S: 'IQ4_NL',
  IQ3_XXS: 'IQ4_NL',
  IQ3_S: 'IQ4_NL',
  IQ4_XS: 'IQ4_NL',
  TQ1_0: 'Q4_0',
  TQ2_0: 'Q4_0',
  Q4_K: 'Q5_0',
  Q5_K: 'Q5_1',
  Q6_K: 'Q8_0',
};

/** Garbage without an importance matrix. */
const UNWEIGHTED_GARBAGE = ['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S'] as const;

const RULES = [...EDGES, ...LOW_ROWS, ...ATTENTION, ...FEED_FORWARD];

export const LLAMA_CPP_2026: RecipeSet = {
  name: 'llama.cpp-2026',
  description: 'the choices of llama.cpp of August 2026',
  classes: [
    ['attn_v', 'attn_v.weight'],
    ['attn_v', 'attn_qkv.weight'],
    ['attn_v', 'attn_kv_b.weight'],
    ...CLASSES,
  ],
  rules: RULES,
  adjust: ADJUST,
  fallback: { ...FALLBACK, Q2_K: 'Q4_0', Q3_K: 'Q4_0' },
  needsImportance: [...UNWEIGHTED_GARBAGE, 'IQ3_XXS'],
  tiedOption: 'embedding',
};

export const LLAMA_CPP_2025: RecipeSet = {
  name: 'llama.cpp-2025',
  description: 'the choices of llama.cpp of February 2025, nearer to most published files',
  classes: [['attn_v', 'attn_v.weight'], ...CLASSES],
  rules: RULES,
  adjust: ADJUST,
  fallback: { ...FALLBACK, Q2_K: 'IQ4_NL', Q3_K: 'IQ4_NL' },
  needsImportance: UNWEIGHTED_GARBAGE,
  tiedOption: 'output',
};

/** Name texts of the tensors that count for `n` of attn_v, in both sets. */
export const ATTN_V_COUNTED = ['attn_v.weight', 'attn_qkv.weight', 'attn_kv_b.weight'] as const;
