/**
 * A recipe set as data: which format each tensor of a model gets in each file type. Rows are tried from the
 * top, the first that fits decides, so a set reads like the table that it is; choose.ts interprets it.
 */
import type { FormatName } from '../../quants/index.ts';
import type { FileTypeName } from './file-types.ts';

/** What a tensor is to the recipes; `other` gets the file type's default. */
export type TensorClass =
  | 'output'
  | 'token_embd'
  | 'attn_v'
  | 'attn_k'
  | 'attn_q'
  | 'attn_qkv'
  | 'attn_output'
  | 'ffn_down'
  | 'ffn_gate'
  | 'ffn_up'
  | 'other';

/**
 * When a row applies; all that is named must hold. `i` is the running index of the tensor among those of its
 * class, in output order, and `n` their number (for the feed-forward classes: the number of layers).
 */
export interface Condition {
  readonly imatrix?: boolean;
  /** Query heads a key-value head, at least. */
  readonly gqaAtLeast?: number;
  /** Exactly so many experts. */
  readonly experts?: number;
  readonly expertsAtLeast?: number;
  readonly architectures?: readonly string[];
  readonly layers?: number;
  /** i below this number. */
  readonly indexBelow?: number;
  /** i < floor(n / first). */
  readonly first?: number;
  /** floor(n/8) <= i < floor(7n/8). */
  readonly middle?: true;
  /** i < floor(n/8), or i >= floor(7n/8), or (i - floor(n/8)) mod 3 = 2: half of the layers. */
  readonly moreBits?: true;
  /** The row length is not whole blocks of the file type's default format. */
  readonly rowNotWhole?: true;
  /** More than one matrix in the tensor (experts side by side). */
  readonly stacked?: boolean;
  /** The format that the rows so far chose; only in `adjust` rows. */
  readonly chosen?: readonly FormatName[];
}

export interface Rule {
  readonly tensor: TensorClass | 'any';
  /** File types; absent: all. */
  readonly types?: readonly FileTypeName[];
  readonly when?: Condition;
  readonly format: FormatName | 'default';
}

export interface RecipeSet {
  readonly name: string;
  readonly description: string;
  /** Name patterns of each class, tried in order: a tensor belongs to the first whose text it contains. */
  readonly classes: readonly (readonly [TensorClass, string])[];
  /** First match decides; none: the default of the file type. */
  readonly rules: readonly Rule[];
  /** Corrections after the rules, first match. */
  readonly adjust: readonly Rule[];
  /** Where rows are not whole blocks: the format to try instead; none, or again not whole: F16. */
  readonly fallback: Partial<Record<FormatName, FormatName>>;
  /** Formats that block tensors get only with an importance matrix: unweighted they are garbage. */
  readonly needsImportance: readonly FormatName[];
  /** Whose option wins for an embedding that is also the output (no output.weight). */
  readonly tiedOption: 'embedding' | 'output';
}
