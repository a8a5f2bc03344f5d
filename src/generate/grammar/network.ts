/**
 * A grammar as a network of states over bytes: each rule has a start and an end, edges are bytes, nothing, or calls of
 * other rules. Characters beyond ASCII are calls of hidden rules that spell their bytes, so that the states around
 * them stay few.
 */
import { inputError } from '../../core/index.ts';
import type { CharSet } from './char-set.ts';
import type { Expression, Grammar, GraphNode } from './expression.ts';
import { LIMITS } from './limits.ts';
import { byteRanges, bytesOf } from './utf8.ts';

export interface ByteEdge {
  readonly first: number;
  readonly last: number;
  readonly to: number;
}

export interface Call {
  readonly rule: number;
  /** Where the caller goes on. */
  readonly to: number;
}

export interface NetworkRule {
  /** undefined: hidden. */
  readonly name: string | undefined;
  readonly start: number;
  readonly end: number;
}

export class Network {
  readonly rules: NetworkRule[] = [];
  readonly bytes: ByteEdge[][] = [];
  readonly nothing: number[][] = [];
  readonly calls: Call[][] = [];
  readonly #grammar: Grammar;
  readonly #indexes = new Map<string, number>();
  readonly #hidden = new Map<string | Expression, number>();
  /** Of the rule that is being built, for errors. */
  #place: string;

  /** Rule 0 is the root; rules that it does not reach are left out. @throws input error: a limit is exceeded. */
  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#place = grammar.name;
    this.#ruleNamed(grammar.root);
    // Calls add rules to the end while this walks.
    for (const { name, start, end } of this.rules) {
      if (name === undefined) continue;
      const rule = grammar.rules.get(name);
      if (!rule) throw inputError(grammar.name, `there is no rule "${name}"`);
      this.#place = `${rule.place ?? grammar.name}: rule "${name}"`;
      this.#build(rule.expression, start, end);
    }
  }

  get size(): number {
    return this.nothing.length;
  }

  #state(): number {
    if (this.size >= LIMITS.states) {
      const problem = `the grammar has more than ${LIMITS.states} states here`;
      throw inputError(this.#place, problem, 'use smaller bounds of repetition');
    }
    this.bytes.push([]);
    this.calls.push([]);
    return this.nothing.push([]) - 1;
  }

  #add(name: string | undefined): number {
    if (this.rules.length >= LIMITS.rules) {
      throw inputError(this.#grammar.name, `more than ${LIMITS.rules} rules`);
    }
    return this.rules.push({ name, start: this.#state(), end: this.#state() }) - 1;
  }

  #ruleNamed(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#add(name);
    this.#indexes.set(name, index);
    return index;
  }

  #hiddenRule(item: Expression): number {
    const known = this.#hidden.get(item);
    if (known !== undefined) return known;
    const rule = this.#add(undefined);
    this.#hidden.set(item, rule);
    this.#build(item, this.rules[rule].start, this.rules[rule].end);
    return rule;
  }

  /** Never puts an edge into `from` or out of `to` that would be open to others' paths. */
  #build(expression: Expression, from: number, to: number): void {
    switch (expression.kind) {
      case 'text': {
        const bytes = Array.from(bytesOf(expression.text), (byte) => [byte, byte] as const);
        this.#spell(bytes, from, to);
        break;
      }
      case 'characters':
        this.#characters(expression.set, from, to);
        break;
      case 'sequence':
        this.#sequence(expression.items, from, to);
        break;
      case 'choice':
        for (const item of expression.items) this.#build(item, from, to);
        break;
      case 'repeat':
        this.#repeat(expression, from, to);
        break;
      case 'rule':
        this.calls[from].push({ rule: this.#ruleNamed(expression.name), to });
        break;
      case 'shared':
        this.calls[from].push({ rule: this.#hiddenRule(expression.item), to });
        break;
      case 'graph':
        this.#graph(expression.nodes, from, to);
    }
  }

  #sequence(items: readonly Expression[], from: number, to: number): void {
    let at = from;
    items.forEach((item, i) => {
      const next = i === items.length - 1 ? to : this.#state();
      this.#build(item, at, next);
      at = next;
    });
    if (items.length === 0) this.nothing[from].push(to);
  }

  #spell(ranges: readonly (readonly [number, number])[], from: number, to: number): void {
    let at = from;
    ranges.forEach(([first, last], i) => {
      const next = i === ranges.length - 1 ? to : this.#state();
      this.bytes[at].push({ first, last, to: next });
      at = next;
    });
    if (ranges.length === 0) this.nothing[from].push(to);
  }

  #characters(set: CharSet, from: number, to: number): void {
    const beyond: [number, number][] = [];
    for (const [first, last] of set) {
      if (first < 0x80) this.bytes[from].push({ first, last: Math.min(last, 0x7f), to });
      if (last >= 0x80) beyond.push([Math.max(first, 0x80), last]);
    }
    if (beyond.length === 0) return;
    const key = beyond.join();
    let rule = this.#hidden.get(key);
    if (rule === undefined) {
      rule = this.#add(undefined);
      this.#hidden.set(key, rule);
      const { start, end } = this.rules[rule];
      for (const [first, last] of beyond) {
        for (const ranges of byteRanges(first, last)) this.#spell(ranges, start, end);
      }
    }
    this.calls[from].push({ rule, to });
  }

  #repeat({ item, least, most }: Extract<Expression, { kind: 'repeat' }>, from: number, to: number): void {
    let at = this.#state();
    this.nothing[from].push(at);
    for (let i = 0; i < least; i++) at = this.#copy(item, at);
    if (most === Number.POSITIVE_INFINITY) {
      this.#build(item, at, at);
    } else {
      for (let i = least; i < most; i++) {
        this.nothing[at].push(to);
        at = this.#copy(item, at);
      }
    }
    this.nothing[at].push(to);
  }

  #copy(item: Expression, from: number): number {
    const to = this.#state();
    this.#build(item, from, to);
    return to;
  }

  #graph(nodes: readonly GraphNode[], from: number, to: number): void {
    const states = nodes.map(() => this.#state());
    this.nothing[from].push(states[0]);
    nodes.forEach(({ ends, edges }, i) => {
      if (ends) this.nothing[states[i]].push(to);
      for (const { label, to: target } of edges) this.#build(label, states[i], states[target]);
    });
  }
}
