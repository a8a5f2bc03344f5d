/**
 * A conversation as a tree: a retry or an edit is a new branch, and nothing is lost. Each turn knows its parent; at
 * each fork one branch is chosen, and the chosen ones from the top make the path that is shown. All functions are pure.
 */

/** How an answer ended: `streaming` has not, `interrupted` could not (the page was closed in the middle). */
export type AnswerState = 'streaming' | 'stop' | 'length' | 'aborted' | 'failed' | 'interrupted' | 'withheld';

export interface Failure {
  /** One sentence. */
  readonly message: string;
  readonly status?: number;
  readonly code?: string;
  /** Milliseconds since 1970 from which it is worth to try again. */
  readonly retryAt?: number;
}

export interface AnswerFacts {
  readonly state: AnswerState;
  readonly model: string;
  readonly failure?: Failure;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  /** Milliseconds from the request to the first piece, and from there to the end. */
  readonly waitMs?: number;
  readonly streamMs?: number;
}

/** What extensions keep with a turn, by their names; plain JSON. */
export type Notes = Readonly<Record<string, unknown>>;

interface TurnBase {
  readonly id: string;
  /** '' for the first ones. */
  readonly parent: string;
  readonly content: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly notes?: Notes;
}

export interface Question extends TurnBase {
  readonly role: 'user';
}

export interface Answer extends TurnBase {
  readonly role: 'assistant';
  readonly facts: AnswerFacts;
}

export type Turn = Question | Answer;

export interface Tree {
  /** In the order in which they were made. */
  readonly turns: readonly Turn[];
  /** Turn -> the branch below it that is shown; without an entry it is the newest. */
  readonly chosen: Readonly<Record<string, string>>;
}

export const EMPTY_TREE: Tree = { turns: [], chosen: {} };

export function findTurn(tree: Tree, id: string): Turn | undefined {
  return tree.turns.find((turn) => turn.id === id);
}

function childrenOf(tree: Tree, parent: string): readonly Turn[] {
  return tree.turns.filter((turn) => turn.parent === parent);
}

function chosenChild(tree: Tree, parent: string): Turn | undefined {
  const children = childrenOf(tree, parent);
  return children.find(({ id }) => id === tree.chosen[parent]) ?? children.at(-1);
}

/** What is shown, from the top. */
export function pathOf(tree: Tree): Turn[] {
  const path: Turn[] = [];
  for (let turn = chosenChild(tree, ''); turn; turn = chosenChild(tree, turn.id)) path.push(turn);
  return path;
}

/** The turns from the top down to `id`, itself included. */
export function ancestry(tree: Tree, id: string): Turn[] {
  const line: Turn[] = [];
  for (let turn = findTurn(tree, id); turn; turn = findTurn(tree, turn.parent)) line.unshift(turn);
  return line;
}

export interface Fork {
  /** From 0. */
  readonly index: number;
  readonly ids: readonly string[];
}

/** The branches beside a turn, itself included, oldest first. */
export function forkOf(tree: Tree, turn: Turn): Fork {
  const ids = childrenOf(tree, turn.parent).map(({ id }) => id);
  return { index: ids.indexOf(turn.id), ids };
}

/** With a turn more; the path leads to it. */
export function withTurn(tree: Tree, turn: Turn): Tree {
  return { turns: [...tree.turns, turn], chosen: { ...tree.chosen, [turn.parent]: turn.id } };
}

/** The same place, other contents. An id that is not there changes nothing. */
export function withChanged(tree: Tree, turn: Turn): Tree {
  return { ...tree, turns: tree.turns.map((old) => (old.id === turn.id ? turn : old)) };
}

/** The path leads through `id`. */
export function withChosen(tree: Tree, id: string): Tree {
  const turn = findTurn(tree, id);
  return turn ? { ...tree, chosen: { ...tree.chosen, [turn.parent]: id } } : tree;
}

/** Without a turn and all below it. */
export function withoutTurn(tree: Tree, id: string): Tree {
  const gone = new Set([id]);
  // Parents stand before their children.
  for (const turn of tree.turns) if (gone.has(turn.parent)) gone.add(turn.id);
  const chosen = Object.entries(tree.chosen).filter(
    ([parent, child]) => !gone.has(parent) && !gone.has(child),
  );
  return { turns: tree.turns.filter((turn) => !gone.has(turn.id)), chosen: Object.fromEntries(chosen) };
}
