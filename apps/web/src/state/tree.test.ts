/** A conversation as a tree: paths, forks, changes. */
import { expect, test } from 'vitest';
import { answer, question } from '../testing/turns.ts';
import * as trees from './tree.ts';

/** q1 - a1 - q2, and a1's sister a2. */
const TREE = [
  question('q1', '', 'Hi'),
  answer('a1', 'q1', 'Hello'),
  question('q2', 'a1', 'More'),
  answer('a2', 'q1', 'Good day'),
].reduce(trees.withTurn, trees.EMPTY_TREE);

const ids = (turns: readonly trees.Turn[]) => turns.map(({ id }) => id);

test('the path leads to what was added last', () => {
  expect(ids(trees.pathOf(TREE))).toEqual(['q1', 'a2']);
  expect(trees.pathOf(trees.EMPTY_TREE)).toEqual([]);
});

test('choosing a branch shows it and what is below it', () => {
  const chosen = trees.withChosen(TREE, 'a1');
  expect(ids(trees.pathOf(chosen))).toEqual(['q1', 'a1', 'q2']);
  expect(ids(trees.pathOf(trees.withChosen(chosen, 'a2')))).toEqual(['q1', 'a2']);
  expect(trees.withChosen(TREE, 'none')).toBe(TREE);
});

test('a fork knows its branches in the order in which they were made', () => {
  expect(trees.forkOf(TREE, answer('a2', 'q1', ''))).toEqual({ index: 1, ids: ['a1', 'a2'] });
  expect(trees.forkOf(TREE, question('q2', 'a1', ''))).toEqual({ index: 0, ids: ['q2'] });
});

test('ancestry goes up from any turn, shown or not', () => {
  expect(ids(trees.ancestry(TREE, 'q2'))).toEqual(['q1', 'a1', 'q2']);
  expect(trees.ancestry(TREE, 'none')).toEqual([]);
});

test('removing a turn takes what is below it and nothing else', () => {
  const rest = trees.withoutTurn(TREE, 'a1');
  expect(ids(rest.turns)).toEqual(['q1', 'a2']);
  expect(rest.chosen).toEqual({ '': 'q1', q1: 'a2' });
  expect(trees.withoutTurn(TREE, 'q1')).toEqual(trees.EMPTY_TREE);
});

test('a choice that points to a turn that is gone falls back to the newest branch', () => {
  const rest = trees.withoutTurn(TREE, 'a2');
  expect(ids(trees.pathOf(rest))).toEqual(['q1', 'a1', 'q2']);
});

test('a changed turn keeps its place', () => {
  const changed = trees.withChanged(TREE, answer('a1', 'q1', 'Hello there'));
  expect(ids(changed.turns)).toEqual(ids(TREE.turns));
  expect(trees.findTurn(changed, 'a1')?.content).toBe('Hello there');
});
