/**
 * A user's own recipe: a JSON file that names a mixture of formats and becomes a file type of its own.
 *
 *     {
 *       "name": "phi3-small",
 *       "base": "IQ2_M",
 *       "rules": [
 *         { "match": "attn_qkv\\.weight$", "type": "IQ3_S" },
 *         { "match": "^blk\\.(0|1)\\.ffn_down", "type": "Q4_K" }
 *       ]
 *     }
 *
 * `match` is a regular expression searched for in tensor names, case kept; the first rule that matches decides.
 * Tensors that no rule names get what file type `base` gives them, or without a base the format `default`.
 */
import { z } from 'zod';
import { BitmillError, type ByteSource, inputError } from '../../core/index.ts';
import { FORMATS, type FormatName, formatByName, formatName } from '../../quants/index.ts';
import { type FileTypeName, fileTypeByName } from './file-types.ts';
import { namePattern } from './pattern.ts';

/** Largest recipe file, in bytes. */
const MAX_BYTES = 1 << 20;

const format = z.string().transform((name, context): FormatName => {
  const found = formatByName(name);
  if (found && found.kind !== 'integer') return formatName(found);
  const known = Object.values(FORMATS).filter(({ kind }) => kind !== 'integer');
  context.addIssue(
    `unknown format "${name.slice(0, 40)}"; known: ${known.map((one) => one.name).join(', ')}`,
  );
  return z.NEVER;
});

const pattern = z.string().transform((text, context): RegExp => {
  try {
    return namePattern(text);
  } catch (error) {
    context.addIssue(error instanceof BitmillError ? error.message : String(error));
    return z.NEVER;
  }
});

const SCHEMA = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'letters, digits, . _ - only, at most 40'),
    base: z
      .string()
      .transform((name, context): FileTypeName => {
        const found = fileTypeByName(name);
        if (found) return found;
        context.addIssue(`unknown file type "${name.slice(0, 40)}"`);
        return z.NEVER;
      })
      .optional(),
    rules: z.array(z.strictObject({ match: pattern, type: format })).max(1000),
    default: format.optional(),
  })
  .refine((recipe) => recipe.base !== undefined || recipe.default !== undefined, 'needs a base or a default')
  .refine(
    (recipe) => recipe.base === undefined || recipe.default === undefined,
    'has both a base and a default',
  )
  .refine((recipe) => fileTypeByName(recipe.name) === undefined, 'has the name of a built-in file type');

export type UserRecipe = z.infer<typeof SCHEMA>;

/** Checks the text of a recipe file. @param place its name, for messages. @throws input error. */
export function parseUserRecipe(text: string, place: string): UserRecipe {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw inputError(place, `is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = SCHEMA.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.join('.') || 'recipe'}: ${message}`);
  throw inputError(place, problems.join('; '));
}

/** Reads a recipe file. @throws input error: too large, not UTF-8, not a recipe. */
export async function readUserRecipe(source: ByteSource): Promise<UserRecipe> {
  if (source.size > MAX_BYTES)
    throw inputError(source.name, `has ${source.size} bytes, at most ${MAX_BYTES} are allowed`);
  const bytes = await source.read(0, source.size);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw inputError(source.name, 'is not UTF-8 text');
  }
  return parseUserRecipe(text, source.name);
}
