/** A pattern as a machine: its states are sets of states of the pattern's network, made when they are met. */
import { ANY_CHARACTER, type CharSet, contains } from '../char-set.ts';
import { LIMITS } from '../limits.ts';
import { type Machine, REFUSED } from './machine.ts';
import { type Pattern, PatternProblem, parsePattern } from './parse-pattern.ts';

/** Edges without a character are free, or only at the start or the end of the text. */
type Gate = 'free' | 'start' | 'end';

interface Node {
  readonly free: { readonly to: number; readonly gate: Gate }[];
  readonly read: { readonly set: CharSet; readonly to: number }[];
}

/** States of the network, in order, and whether nothing has been read. */
interface Subset {
  readonly nodes: readonly number[];
  readonly atStart: boolean;
}

/** @param whole the pattern is the whole text; else it may be found anywhere in it. @throws PatternProblem */
export function patternMachine(source: string, whole = false): Machine {
  return new PatternMachine(parsePattern(source), whole);
}

class PatternMachine implements Machine {
  readonly start: number;
  readonly #sets = new Set<CharSet>();
  readonly #nodes: Node[] = [];
  readonly #end: number;
  readonly #whole: boolean;
  readonly #subsets: Subset[] = [];
  readonly #indexes = new Map<string, number>();
  /** Nodes in all subsets together. */
  #size = 0;

  constructor(pattern: Pattern, whole: boolean) {
    this.#whole = whole;
    const start = this.#node();
    this.#end = this.#node();
    const first = this.#node();
    this.#nodes[start].free.push({ to: first, gate: 'free' });
    this.#build(pattern, first, this.#end);
    if (!whole) {
      this.#nodes[start].read.push({ set: ANY_CHARACTER, to: start });
      this.#nodes[this.#end].read.push({ set: ANY_CHARACTER, to: this.#end });
    }
    this.start = this.#index([start], true);
  }

  get sets(): readonly CharSet[] {
    return [...this.#sets];
  }

  step(state: number, character: number): number {
    const targets = new Set<number>();
    for (const node of this.#subsets[state].nodes) {
      for (const { set, to } of this.#nodes[node].read) if (contains(set, character)) targets.add(to);
    }
    return targets.size === 0 ? REFUSED : this.#index([...targets], false);
  }

  accepts(state: number): boolean {
    const { nodes, atStart } = this.#subsets[state];
    return this.#closure(nodes, atStart, true).has(this.#end);
  }

  #index(targets: readonly number[], atStart: boolean): number {
    const closed = this.#closure(targets, atStart, false);
    // What is found anywhere stays found, whatever follows.
    const found = !this.#whole && closed.has(this.#end);
    const nodes = found ? [this.#end] : [...closed].sort((a, b) => a - b);
    const key = `${atStart ? '^' : ''}${nodes.join()}`;
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#size += nodes.length;
    if (this.#size > LIMITS.pattern * 100) throw new PatternProblem('is too ambiguous');
    this.#indexes.set(key, this.#subsets.length);
    return this.#subsets.push({ nodes, atStart }) - 1;
  }

  #closure(from: readonly number[], atStart: boolean, atEnd: boolean): Set<number> {
    const open = { free: true, start: atStart, end: atEnd } satisfies Record<Gate, boolean>;
    const closed = new Set(from);
    for (const node of closed) {
      for (const { to, gate } of this.#nodes[node].free) if (open[gate]) closed.add(to);
    }
    return closed;
  }

  #node(): number {
    if (this.#nodes.length >= LIMITS.pattern * 2) {
      throw new PatternProblem(`needs more than ${LIMITS.pattern * 2} states`);
    }
    return this.#nodes.push({ free: [], read: [] }) - 1;
  }

  #build(pattern: Pattern, from: number, to: number): void {
    switch (pattern.kind) {
      case 'set':
        this.#nodes[from].read.push({ set: pattern.set, to });
        this.#sets.add(pattern.set);
        break;
      case 'start':
      case 'end':
        this.#nodes[from].free.push({ to, gate: pattern.kind });
        break;
      case 'choice':
        for (const item of pattern.items) this.#build(item, from, to);
        break;
      case 'sequence': {
        let at = from;
        for (const item of pattern.items) at = this.#copy(item, at);
        this.#nodes[at].free.push({ to, gate: 'free' });
        break;
      }
      case 'repeat':
        this.#repeat(pattern, from, to);
    }
  }

  #repeat({ item, least, most }: Extract<Pattern, { kind: 'repeat' }>, from: number, to: number): void {
    let at = this.#node();
    this.#nodes[from].free.push({ to: at, gate: 'free' });
    for (let i = 0; i < least; i++) at = this.#copy(item, at);
    if (most === Number.POSITIVE_INFINITY) {
      this.#build(item, at, at);
    } else {
      for (let i = least; i < most; i++) {
        this.#nodes[at].free.push({ to, gate: 'free' });
        at = this.#copy(item, at);
      }
    }
    this.#nodes[at].free.push({ to, gate: 'free' });
  }

  #copy(item: Pattern, from: number): number {
    const to = this.#node();
    this.#build(item, from, to);
    return to;
  }
}
