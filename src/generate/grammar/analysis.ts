/** What is known of a network before any text: which states can end, which rules can be empty, who begins with whom. */
import { inputError } from '../../core/index.ts';
import type { Grammar } from './expression.ts';
import type { Network } from './network.ts';

export interface Analysis {
  /** By state: whether the end of its rule can be reached. */
  readonly live: Uint8Array;
  /** By state: whether the end of its rule can be reached without a byte. */
  readonly empty: Uint8Array;
  /** By rule: every rule comes before those that it may begin with. */
  readonly rank: Int32Array;
}

/** States from which the end of their rule is reached, with or without bytes. Linear in the edges. */
function reaching(network: Network, withBytes: boolean): Uint8Array {
  const reached = new Uint8Array(network.size);
  const before: number[][] = Array.from({ length: network.size }, () => []);
  /** Calls that go on at a state: `[from, rule]`. */
  const callsInto: [number, number][][] = Array.from({ length: network.size }, () => []);
  /** By rule: callers that go on at a state that is reached, but wait for the rule. */
  const waiting: number[][] = network.rules.map(() => []);
  const ruleAt = new Map(network.rules.map(({ start }, rule) => [start, rule]));
  for (let state = 0; state < network.size; state++) {
    for (const to of network.nothing[state]) before[to].push(state);
    if (withBytes) for (const { to } of network.bytes[state]) before[to].push(state);
    for (const { rule, to } of network.calls[state]) callsInto[to].push([state, rule]);
  }
  const queue: number[] = [];
  const reach = (state: number): void => {
    if (reached[state]) return;
    reached[state] = 1;
    queue.push(state);
  };
  for (const { end } of network.rules) reach(end);
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    before[state].forEach(reach);
    for (const [from, rule] of callsInto[state]) {
      if (reached[network.rules[rule].start]) reach(from);
      else waiting[rule].push(from);
    }
    const rule = ruleAt.get(state);
    if (rule !== undefined) waiting[rule].forEach(reach);
  }
  return reached;
}

/** Rules that may be called before the first byte of each rule. */
function beginnings(network: Network, live: Uint8Array, empty: Uint8Array): number[][] {
  return network.rules.map(({ start }) => {
    const seen = new Set([start]);
    const rules = new Set<number>();
    for (const state of seen) {
      for (const to of network.nothing[state]) if (live[to]) seen.add(to);
      for (const { rule, to } of network.calls[state]) {
        const callee = network.rules[rule].start;
        if (!live[to] || !live[callee]) continue;
        rules.add(rule);
        if (empty[callee]) seen.add(to);
      }
    }
    return [...rules];
  });
}

/** Depth first, without recursion of ours: rules may be nested thousands deep. */
function ranks(network: Network, begins: number[][], grammar: Grammar): Int32Array {
  const rank = new Int32Array(begins.length).fill(-1);
  let next = begins.length;
  const open = new Set<number>();
  const path: { rule: number; at: number }[] = [];
  const enter = (rule: number): void => {
    open.add(rule);
    path.push({ rule, at: 0 });
  };
  for (let root = 0; root < begins.length; root++) {
    if (rank[root] < 0) enter(root);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      if (top.at < begins[top.rule].length) {
        const callee = begins[top.rule][top.at++];
        if (open.has(callee)) throw leftRecursion(network, grammar, [...open], callee);
        if (rank[callee] < 0) enter(callee);
      } else {
        rank[top.rule] = --next;
        open.delete(top.rule);
        path.pop();
      }
    }
  }
  return rank;
}

function leftRecursion(network: Network, grammar: Grammar, open: number[], callee: number) {
  const names = [...open.slice(open.indexOf(callee)), callee].map((rule) => network.rules[rule].name ?? '');
  const place = grammar.rules.get(names[0])?.place ?? grammar.name;
  const shown = names.length > 8 ? [...names.slice(0, 4), '…', ...names.slice(-3)] : names;
  return inputError(
    place,
    `rule "${names[0]}" begins with itself: ${shown.join(' → ')}`,
    'write repetition as item*, or put the recursion behind something',
  );
}

/** @throws input error: a written rule that can never end, or one that begins with itself. */
export function analyse(network: Network, grammar: Grammar): Analysis {
  const live = reaching(network, true);
  for (const { name, start } of network.rules) {
    const place = grammar.rules.get(name ?? '')?.place;
    if (live[start] || place === undefined) continue;
    throw inputError(place, `rule "${name}" matches no text at all: every alternative goes on for ever`);
  }
  if (!live[network.rules[0].start]) throw inputError(grammar.name, 'no text at all matches');
  const empty = reaching(network, false);
  return { live, empty, rank: ranks(network, beginnings(network, live, empty), grammar) };
}
