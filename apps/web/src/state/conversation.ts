/** What a conversation is, as it is kept and as it is shown. */
import type { Parameters } from '../provider.ts';
import type { Tree } from './tree.ts';

/** What an answer is asked with. */
export interface Setup {
  /** '' until one is known. */
  readonly model: string;
  readonly system: string;
  readonly parameters: Parameters;
}

export const EMPTY_SETUP: Setup = { model: '', system: '', parameters: {} };

/** A line of the list. */
export interface Summary {
  readonly id: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly updated: number;
}

export interface Conversation extends Summary {
  readonly setup: Setup;
  readonly tree: Tree;
}

/** Characters of a title that is taken from the first question. */
const TITLE_LENGTH = 60;

/** The first line of a question, cut at a word. */
export function titleOf(question: string): string {
  const line = question.trim().split('\n')[0]?.replace(/\s+/g, ' ').trim() ?? '';
  if (line.length <= TITLE_LENGTH) return line || 'New chat';
  const cut = line.slice(0, TITLE_LENGTH);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(' '), TITLE_LENGTH / 2)).trimEnd()}…`;
}
