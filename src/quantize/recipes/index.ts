/** Recipes: which format each tensor gets. The registry of the named sets: adding one = its data and a line. */
import { usageError } from '../../core/index.ts';
import { LLAMA_CPP_2025, LLAMA_CPP_2026 } from './llama-cpp.ts';
import type { RecipeSet } from './types.ts';

export * from './choose.ts';
export * from './file-types.ts';
export * from './never.ts';
export * from './pattern.ts';
export type { Condition, RecipeSet, Rule, TensorClass } from './types.ts';
export * from './user.ts';

/** The first is the default. */
export const RECIPE_SETS: readonly RecipeSet[] = [LLAMA_CPP_2026, LLAMA_CPP_2025];

/** @throws usage error: no set has that name. */
export function recipeSet(name: string): RecipeSet {
  const found = RECIPE_SETS.find((set) => set.name === name);
  if (found) return found;
  throw usageError(`unknown recipe set "${name}"`, `known: ${RECIPE_SETS.map((set) => set.name).join(', ')}`);
}
