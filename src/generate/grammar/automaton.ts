/**
 * Matching: what a text read so far may go on as. A state is a set of ways, each a state of the network with a stack of
 * callers; stacks share their ends, and calls of one rule at one place share one stack node, so that the nodes grow
 * with the text and not with the number of ways of reading it. States, stacks and steps are remembered, as in a lazy
 * DFA; when they become many, all is forgotten but what is in use.
 */
import { BitmillError } from '../../core/index.ts';
import { type Analysis, analyse } from './analysis.ts';
import type { Grammar } from './expression.ts';
import { LIMITS } from './limits.ts';
import { type Call, Network } from './network.ts';

/** Where a rule was called from. The text is whole where a rule ends that was called at the `bottom`. */
interface Stack {
  readonly id: number;
  readonly bottom: boolean;
  readonly callers: readonly Way[];
}

/** A state of the network, and who called its rule. */
interface Way {
  readonly state: number;
  readonly stack: Stack;
}

/** What can happen in a state of the network before the next byte. */
interface Closure {
  /** Triples: first class of bytes, last class, next state. */
  readonly edges: Int32Array;
  readonly calls: readonly Call[];
  readonly ends: boolean;
}

/** A state of matching. Equal states are the same object, until the automaton forgets. */
export interface MatchState {
  readonly id: number;
  /** Whether the text may end here. */
  readonly complete: boolean;
  /** Whether nothing can follow. */
  readonly final: boolean;
  /** Only those that wait for a byte. */
  readonly ways: readonly Way[];
  /** By class of bytes; null: refused, undefined: not known yet. */
  readonly next: (MatchState | null | undefined)[];
}

/** Calls at one place, before they are a stack node. */
interface Pending {
  bottom: boolean;
  readonly callers: Map<string, Way>;
}

export class Automaton {
  /** By byte: bytes of one class are alike everywhere in the grammar. */
  readonly classes: Uint8Array;
  readonly #network: Network;
  readonly #analysis: Analysis;
  readonly #classCount: number;
  readonly #closures: (Closure | undefined)[] = [];
  #stacks = new Map<string, Stack>();
  #states = new Map<string, MatchState>();
  #stackId = 0;
  #stateId = 0;
  #work = 0;
  #closureSize = 0;

  /** @throws input error: a limit, a rule that never ends or begins with itself. */
  constructor(grammar: Grammar) {
    this.#network = new Network(grammar);
    this.#analysis = analyse(this.#network, grammar);
    this.classes = byteClasses(this.#network);
    this.#classCount = this.classes.reduce((most, one) => Math.max(most, one), 0) + 1;
  }

  /** Steps of work so far: what `LIMITS.work` is about. */
  get work(): number {
    return this.#work;
  }

  /** Nothing read yet. */
  start(): MatchState {
    const root = this.#stack({ bottom: true, callers: new Map() });
    return this.#settle([{ state: this.#network.rules[0].start, stack: root }]);
  }

  /** After one more byte of this class; null: no text goes on so. @throws resources error: too many ways. */
  step(from: MatchState, byteClass: number): MatchState | null {
    const known = from.next[byteClass];
    if (known !== undefined) return known;
    const ways: Way[] = [];
    for (const { state, stack } of from.ways) {
      const { edges } = this.#closure(state);
      this.#work += 1 + edges.length / 3;
      for (let i = 0; i < edges.length; i += 3) {
        if (edges[i] <= byteClass && byteClass <= edges[i + 1]) ways.push({ state: edges[i + 2], stack });
      }
    }
    const next = ways.length === 0 ? null : this.#settle(ways);
    from.next[byteClass] = next;
    return next;
  }

  /** After these bytes; undefined: refused. */
  read(from: MatchState, bytes: Uint8Array): MatchState | undefined {
    let state: MatchState | null = from;
    for (const byte of bytes) {
      state = this.step(state, this.classes[byte]);
      if (!state) return undefined;
    }
    return state;
  }

  /** All that can happen before the next byte: rules that end, then rules that are called, callers first. */
  #settle(targets: Way[]): MatchState {
    const ways = new Map<string, Way>();
    const seen = new Set<string>();
    const pending = new Map<number, Pending>();
    const limit = this.#work + LIMITS.work;
    let complete = false;
    const visit = (way: Way): void => {
      const key = keyOf(way);
      if (seen.has(key)) return;
      seen.add(key);
      open.push(way);
    };
    const open: Way[] = [];
    const drain = (mayReturn: boolean): void => {
      for (let way = open.pop(); way; way = open.pop()) {
        const { edges, calls, ends } = this.#closure(way.state);
        this.#work += 1 + calls.length;
        if (seen.size > LIMITS.ways || this.#work > limit) throw tooManyWays();
        if (edges.length > 0) ways.set(keyOf(way), way);
        for (const call of calls) this.#addCall(pending, call, way.stack);
        if (!ends) continue;
        // A rule that ends where it was called is skipped by its callers already (`Closure`).
        if (way.stack.bottom) complete = true;
        if (!mayReturn) continue;
        this.#work += way.stack.callers.length;
        way.stack.callers.forEach(visit);
      }
    };
    targets.forEach(visit);
    drain(true);
    while (pending.size > 0) {
      const rule = this.#firstOf(pending);
      const stack = this.#stack(pending.get(rule) as Pending);
      pending.delete(rule);
      visit({ state: this.#network.rules[rule].start, stack });
      drain(false);
    }
    return this.#state([...ways.values()], complete);
  }

  /** The pending rule that no other pending rule can begin with: all its calls at this place are known. */
  #firstOf(pending: ReadonlyMap<number, Pending>): number {
    const { rank } = this.#analysis;
    let first = -1;
    for (const rule of pending.keys()) if (first < 0 || rank[rule] < rank[first]) first = rule;
    return first;
  }

  /** A call with nothing behind it in its rule goes on where its rule's callers do: such recursion needs no stack. */
  #addCall(pending: Map<number, Pending>, { rule, to }: Call, stack: Stack): void {
    const calls = pending.get(rule) ?? { bottom: false, callers: new Map<string, Way>() };
    pending.set(rule, calls);
    const { edges, calls: further, ends } = this.#closure(to);
    if (ends && edges.length === 0 && further.length === 0) {
      calls.bottom ||= stack.bottom;
      for (const caller of stack.callers) calls.callers.set(keyOf(caller), caller);
      this.#work += stack.callers.length;
    } else {
      const caller = { state: to, stack };
      calls.callers.set(keyOf(caller), caller);
    }
    if (calls.callers.size > LIMITS.ways) throw tooManyWays();
  }

  #stack({ bottom, callers }: Pending): Stack {
    const key = `${bottom ? '.' : ''}${[...callers.keys()].sort().join()}`;
    let stack = this.#stacks.get(key);
    if (!stack) {
      stack = { id: this.#stackId++, bottom, callers: [...callers.values()] };
      this.#stacks.set(key, stack);
    }
    return stack;
  }

  #state(ways: readonly Way[], complete: boolean): MatchState {
    const key = `${complete ? '.' : ''}${ways.map(keyOf).sort().join()}`;
    const known = this.#states.get(key);
    if (known) return known;
    if (this.#states.size >= LIMITS.remembered || this.#stacks.size >= LIMITS.remembered) this.#forget();
    const next = new Array<MatchState | null | undefined>(this.#classCount).fill(undefined);
    const state = { id: this.#stateId++, complete, final: ways.length === 0, ways, next };
    this.#states.set(key, state);
    return state;
  }

  /** States that are in use go on to work; they are only no longer found by others. Ids are never used again. */
  #forget(): void {
    for (const state of this.#states.values()) state.next.fill(undefined);
    this.#states = new Map();
    this.#stacks = new Map();
  }

  #closure(state: number): Closure {
    this.#closures[state] ??= this.#close(state);
    return this.#closures[state];
  }

  #close(start: number): Closure {
    const { rules, bytes, nothing, calls } = this.#network;
    const { live, empty } = this.#analysis;
    const edges: number[] = [];
    const allCalls: Call[] = [];
    const seen = new Set([start]);
    for (const state of seen) {
      for (const { first, last, to } of bytes[state]) {
        if (live[to]) edges.push(this.classes[first], this.classes[last], to);
      }
      for (const to of nothing[state]) if (live[to]) seen.add(to);
      for (const call of calls[state]) {
        const callee = rules[call.rule].start;
        if (!live[call.to] || !live[callee]) continue;
        allCalls.push(call);
        if (empty[callee]) seen.add(call.to);
      }
    }
    this.#closureSize += seen.size + edges.length;
    if (this.#closureSize > LIMITS.closures) throw tooManyWays();
    return { edges: Int32Array.from(edges), calls: allCalls, ends: empty[start] === 1 };
  }
}

const keyOf = ({ state, stack }: Way): string => `${state}:${stack.id}`;

function tooManyWays(): BitmillError {
  return new BitmillError(
    'resources',
    `the grammar has too many ways to read this text (${LIMITS.ways} at once are allowed)`,
    { hint: 'make its alternatives differ in how they begin' },
  );
}

/** Bytes in order have classes in order, so that a range of bytes is a range of classes. */
function byteClasses({ bytes }: Network): Uint8Array {
  const cuts = new Uint8Array(257);
  for (const edges of bytes) {
    for (const { first, last } of edges) {
      cuts[first] = 1;
      cuts[last + 1] = 1;
    }
  }
  let last = 0;
  return Uint8Array.from({ length: 256 }, (_, byte) => {
    if (byte > 0 && cuts[byte]) last++;
    return last;
  });
}
