/** Where conversations are kept: the interface, and one in memory for browsers that keep nothing. */
import type { Conversation, Summary } from './conversation.ts';
import type { Answer, Turn } from './tree.ts';

/** All of a conversation but its turns. */
export interface Head extends Summary {
  readonly setup: Conversation['setup'];
  readonly chosen: Conversation['tree']['chosen'];
}

export interface Store {
  /** Whether it outlives the page. */
  readonly lasting: boolean;
  /** Newest first. */
  list(): Promise<readonly Summary[]>;
  load(id: string): Promise<Conversation | undefined>;
  saveHead(head: Head): Promise<void>;
  saveTurns(conversation: string, turns: readonly Turn[]): Promise<void>;
  removeTurns(ids: readonly string[]): Promise<void>;
  remove(id: string): Promise<void>;
  /** Those whose title or turns contain all words of `text`, in any case; newest first. */
  search(text: string): Promise<readonly Summary[]>;
}

export const headOf = ({ id, title, created, updated, setup, tree }: Conversation): Head => ({
  id,
  title,
  created,
  updated,
  setup,
  chosen: tree.chosen,
});

export const newestFirst = (a: Summary, b: Summary): number => b.updated - a.updated;

export const summaryOf = ({ id, title, created, updated }: Summary): Summary => ({
  id,
  title,
  created,
  updated,
});

/** An answer that was still coming when the page went away stays as far as it came. */
function settled(turn: Turn): Turn {
  if (turn.role === 'user' || turn.facts.state !== 'streaming') return turn;
  const answer: Answer = { ...turn, facts: { ...turn.facts, state: 'interrupted' } };
  return answer;
}

/** @param turns in any order. */
export function assemble({ chosen, ...head }: Head, turns: readonly Turn[]): Conversation {
  const inOrder = [...turns].sort((a, b) => a.created - b.created);
  return { ...head, tree: { chosen, turns: inOrder.map(settled) } };
}

/** A test for texts: all words occur somewhere in them. */
export function matcher(text: string): (texts: readonly string[]) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (texts) => {
    const lower = texts.map((one) => one.toLowerCase());
    return words.every((word) => lower.some((one) => one.includes(word)));
  };
}

export function memoryStore(): Store {
  const heads = new Map<string, Head>();
  const turns = new Map<string, { readonly conversation: string; readonly turn: Turn }>();
  const turnsOf = (id: string) =>
    [...turns.values()].filter(({ conversation }) => conversation === id).map(({ turn }) => turn);
  const all = () => [...heads.values()].sort(newestFirst);
  return {
    lasting: false,
    list: async () => all().map(summaryOf),
    load: async (id) => {
      const head = heads.get(id);
      return head && assemble(head, turnsOf(id));
    },
    saveHead: async (head) => void heads.set(head.id, head),
    saveTurns: async (conversation, changed) => {
      for (const turn of changed) turns.set(turn.id, { conversation, turn });
    },
    removeTurns: async (ids) => {
      for (const id of ids) turns.delete(id);
    },
    remove: async (id) => {
      heads.delete(id);
      for (const { id: turn } of turnsOf(id)) turns.delete(turn);
    },
    search: async (text) => {
      const matches = matcher(text);
      return all()
        .filter(({ id, title }) => matches([title, ...turnsOf(id).map(({ content }) => content)]))
        .map(summaryOf);
    },
  };
}
