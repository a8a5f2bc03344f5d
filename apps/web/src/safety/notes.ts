/** What is kept with an answer that was let through with a warning. */
import type { Notes } from '../state/tree.ts';

/** The key in an answer's notes. */
export const NAME = 'safety';

export const withWarning = (notes: Notes, warning: string): Notes => ({
  ...notes,
  [NAME]: { warnings: [...new Set([...warningsOf(notes), warning])] },
});

/** Of notes that may come from an imported file. */
export function warningsOf(notes: Notes | undefined): readonly string[] {
  const value = notes?.[NAME];
  if (typeof value !== 'object' || value === null || !('warnings' in value)) return [];
  return Array.isArray(value.warnings) ? value.warnings.filter((one) => typeof one === 'string') : [];
}
