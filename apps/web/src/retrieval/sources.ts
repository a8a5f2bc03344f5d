/** What is kept with an answer of its sources: enough to show them also when the file is gone. */
import type { Notes } from '../state/tree.ts';
import type { Passage } from './search.ts';

/** The key in an answer's notes. */
export const NAME = 'files';

export interface SourceNotes {
  /** In the order of their numbers. */
  readonly sources: readonly Passage[];
  /** Why only words were searched, where that is so. */
  readonly onlyWords?: string;
}

/** Of an answer's notes, which may come from an imported file: what is whole. */
export function sourcesOf(notes: Notes | undefined): SourceNotes | undefined {
  const value = notes?.[NAME];
  if (typeof value !== 'object' || value === null) return undefined;
  const { sources, onlyWords } = value as { sources?: unknown; onlyWords?: unknown };
  if (!Array.isArray(sources)) return undefined;
  const whole = sources.filter(isPassage);
  if (whole.length !== sources.length) return undefined;
  return { sources: whole, ...(typeof onlyWords === 'string' ? { onlyWords } : {}) };
}

function isPassage(value: unknown): value is Passage {
  if (typeof value !== 'object' || value === null) return false;
  const { file, name, text, heading, from, to } = value as Record<string, unknown>;
  const texts = [file, name, text, heading].every((one) => typeof one === 'string');
  return texts && [from, to].every((one) => Number.isSafeInteger(one));
}
