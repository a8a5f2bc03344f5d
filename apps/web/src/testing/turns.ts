/** Turns and conversations for tests. */
import { type Conversation, EMPTY_SETUP } from '../state/conversation.ts';
import {
  type Answer,
  type AnswerFacts,
  EMPTY_TREE,
  type Question,
  type Turn,
  withTurn,
} from '../state/tree.ts';

/** Turns are dated in the order in which they are made. */
let time = 1000;

export const question = (id: string, parent: string, content: string): Question => ({
  id,
  parent,
  content,
  role: 'user',
  created: time++,
});

export const answer = (
  id: string,
  parent: string,
  content: string,
  facts: Partial<AnswerFacts> = {},
): Answer => ({
  id,
  parent,
  content,
  role: 'assistant',
  created: time++,
  facts: { state: 'stop', model: 'tiny', ...facts },
});

export const conversation = (id: string, title: string, turns: readonly Turn[]): Conversation => ({
  id,
  title,
  created: 1,
  updated: 2,
  setup: EMPTY_SETUP,
  tree: turns.reduce(withTurn, EMPTY_TREE),
});
