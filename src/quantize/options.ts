/** What a quantization is asked to do, whatever asks for it. */
import type { GgufValue } from '../gguf/index.ts';
import type { ImportanceMatrix } from '../imatrix/index.ts';
import type { Effort, FormatName } from '../quants/index.ts';
import type { FileTypeName, RecipeSet, UserRecipe } from './recipes/index.ts';

/** A file type of the table, or a recipe of the user's own. */
export type Mixture = FileTypeName | UserRecipe;

export interface QuantizeOptions {
  /** One output each. */
  readonly mixtures: readonly Mixture[];
  readonly recipes: RecipeSet;
  readonly effort: Effort;
  readonly imatrix: ImportanceMatrix | null;
  /** The model's part of the output names: `<model>-<TYPE>.gguf`. */
  readonly model: string;
  /** Version of bitmill, for the metadata. */
  readonly version: string;
  /** First match wins. */
  readonly tensorTypes?: readonly { readonly pattern: RegExp; readonly format: FormatName }[];
  /** Tensors that keep the format they have. */
  readonly keep?: readonly RegExp[];
  /** The output tensor keeps its format. */
  readonly leaveOutput?: boolean;
  readonly outputType?: FormatName | undefined;
  readonly embeddingType?: FormatName | undefined;
  /** Every tensor the default format of its file type: no mixture. */
  readonly pure?: boolean;
  readonly allowRequantize?: boolean;
  /** Metadata to set, after all else. */
  readonly overrides?: ReadonlyMap<string, GgufValue>;
  /** Bytes of tensor data a shard at most; absent: one file. */
  readonly shardBytes?: number | undefined;
}

/** The name of a mixture, as in `--types` and in file names. */
export function mixtureName(mixture: Mixture): string {
  return typeof mixture === 'string' ? mixture : mixture.name;
}

/** The file type whose rules a mixture uses, if any. */
export function baseType(mixture: Mixture): FileTypeName | undefined {
  return typeof mixture === 'string' ? mixture : mixture.base;
}
