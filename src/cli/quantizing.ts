/** Quantizing for every command that does it: recipes and file types by name. */
import path from 'node:path';
import { BitmillError, usageError } from '../core/index.ts';
import type { GgufFile } from '../gguf/index.ts';
import { openFile } from '../platform/index.ts';
import {
  type FileTypeName,
  fileTypeByName,
  type Mixture,
  type Plan,
  parseFileTypes,
  RECIPE_SETS,
  type RecipeSet,
  readUserRecipe,
  recipeSet,
  type UserRecipe,
} from '../quantize/index.ts';

export { type QuantizeSettings, quantizeInto } from '../platform/index.ts';

export interface Recipes {
  readonly set: RecipeSet;
  /** The user's own, and the files that they are in. */
  readonly own: readonly UserRecipe[];
  readonly files: readonly string[];
}

/** The recipe set and the recipe files out of `--recipes`. */
export async function readRecipes(named: readonly string[]): Promise<Recipes> {
  const sets = named.filter((name) => RECIPE_SETS.some((set) => set.name === name));
  if (sets.length > 1) throw usageError(`--recipes: ${sets.join(' and ')} exclude each other`);
  const files = named.filter((name) => !sets.includes(name));
  const own: UserRecipe[] = [];
  for (const name of files) {
    // Neither a set's name nor like a path: the error that lists the sets helps more than "no such file".
    if (!/[/\\.]/.test(name) || /^llama\.cpp-/.test(name)) recipeSet(name);
    const source = await openFile(name);
    try {
      own.push(await readUserRecipe(source));
    } finally {
      await source.close();
    }
  }
  return { set: recipeSet(sets[0] ?? RECIPE_SETS[0].name), own, files };
}

/** What `--types` asks for. */
export function readMixtures(types: string, own: readonly UserRecipe[]): Mixture[] {
  const names = own.map(({ name }) => name);
  return parseFileTypes(types, names).map(
    (name): Mixture => own.find((recipe) => recipe.name === name) ?? (fileTypeByName(name) as FileTypeName),
  );
}

/** @throws usage error: not a part of a file name. */
export function checkOutputName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || /[/\\\x00-\x1f\x7f]/.test(name))
    throw usageError('--name is a part of a file name: not empty, no path, no control characters');
}

/** Throws if an output would overwrite a file of the input. */
export function protectInput(model: GgufFile, plan: Plan, folder: string): void {
  const inputs = new Set(model.shards.map((file) => path.resolve(file)));
  const clash = plan.files.find(({ name }) => inputs.has(path.resolve(folder, name)));
  if (clash)
    throw new BitmillError('usage', `${clash.name} in ${folder} is the input itself`, {
      hint: 'use --name or another folder',
    });
}
