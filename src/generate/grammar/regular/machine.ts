/** Regular sets of texts as machines that read one character after the other, and several of them at once. */
import { type CharSet, charSet, partition } from '../char-set.ts';
import { code, type Expression, type GraphNode } from '../expression.ts';
import { LIMITS } from '../limits.ts';
import { PatternProblem } from './parse-pattern.ts';

export interface Machine {
  /** Sets of characters that it tells apart. */
  readonly sets: readonly CharSet[];
  readonly start: number;
  /** The state after one more character; -1: refused for good. */
  step(state: number, character: number): number;
  accepts(state: number): boolean;
}

export const REFUSED = -1;

/** Texts of so many characters. */
export function lengthMachine(least: number, most: number): Machine {
  const last = Math.max(least, most === Number.POSITIVE_INFINITY ? 0 : most);
  return {
    sets: [],
    start: 0,
    step: (count) => (count >= most ? REFUSED : Math.min(count + 1, last)),
    accepts: (count) => count >= least,
  };
}

/** All texts but these. */
export function exceptMachine(texts: Iterable<string>): Machine {
  const ends = [false];
  const next: Map<number, number>[] = [new Map()];
  const letters = new Set<number>();
  for (const text of texts) {
    let at = 0;
    for (const letter of text) {
      const character = code(letter);
      letters.add(character);
      let to = next[at].get(character);
      if (to === undefined) {
        to = next.push(new Map()) - 1;
        ends.push(false);
        next[at].set(character, to);
      }
      at = to;
    }
    ends[at] = true;
  }
  const other = next.push(new Map()) - 1;
  ends.push(false);
  return {
    sets: [...letters].map((letter) => charSet([letter, letter])),
    start: 0,
    step: (state, character) => next[state].get(character) ?? other,
    accepts: (state) => !ends[state],
  };
}

/** Whether all of them accept a text. */
export function allAccept(machines: readonly Machine[], text: string): boolean {
  const letters = Array.from(text, code);
  return machines.every((machine) => {
    const end = letters.reduce(
      (state, letter) => (state === REFUSED ? state : machine.step(state, letter)),
      machine.start,
    );
    return end !== REFUSED && machine.accepts(end);
  });
}

/**
 * The texts that all machines accept, as a graph.
 * @param label how characters of a set are written.
 * @throws PatternProblem: too many states.
 */
export function machineGraph(machines: readonly Machine[], label: (set: CharSet) => Expression): Expression {
  const parts = partition(machines.flatMap(({ sets }) => sets));
  const states: number[][] = [];
  const indexes = new Map<string, number>();
  const index = (state: number[]): number => {
    const key = state.join();
    const known = indexes.get(key);
    if (known !== undefined) return known;
    if (states.length >= LIMITS.pattern) throw new PatternProblem(`needs more than ${LIMITS.pattern} states`);
    indexes.set(key, states.length);
    return states.push(state) - 1;
  };
  index(machines.map(({ start }) => start));
  const nodes: GraphNode[] = [];
  const labels = new Map<string, Expression>();
  for (const state of states) {
    const byTarget = new Map<number, [number, number][]>();
    for (const part of parts) {
      const next = machines.map((machine, i) => machine.step(state[i], part[0][0]));
      if (next.includes(REFUSED)) continue;
      const to = index(next);
      const ranges = byTarget.get(to) ?? [];
      byTarget.set(to, ranges);
      for (const [first, last] of part) ranges.push([first, last]);
    }
    const edges = Array.from(byTarget, ([to, ranges]) => {
      const key = ranges.join();
      const written = labels.get(key) ?? label(charSet(...ranges));
      labels.set(key, written);
      return { label: written, to };
    });
    nodes.push({ ends: machines.every((machine, i) => machine.accepts(state[i])), edges });
  }
  return { kind: 'graph', nodes };
}
