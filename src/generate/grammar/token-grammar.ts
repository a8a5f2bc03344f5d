/** A grammar over the tokens of a vocabulary: what may come next, one token after the other. */
import { BitmillError } from '../../core/index.ts';
import type { Constraint } from '../sampling/constraint.ts';
import { Automaton, type MatchState } from './automaton.ts';
import type { Grammar } from './expression.ts';
import { TokenMasks, type TokenSet } from './token-masks.ts';
import { type GrammarTokenizer, type TokenTrie, tokenTrie } from './token-trie.ts';

const TRIES = new WeakMap<GrammarTokenizer, TokenTrie>();
const AUTOMATA = new WeakMap<Grammar, Automaton>();
const MASKS = new WeakMap<Automaton, WeakMap<TokenTrie, TokenMasks>>();

function found<K extends object, V>(map: WeakMap<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/**
 * One text that is being written. What is learned of grammar and vocabulary is shared by all that are given the same
 * objects.
 */
export class TokenGrammar implements Constraint {
  readonly #tokenizer: GrammarTokenizer;
  readonly #masks: TokenMasks;
  #state: MatchState;

  /** @throws input error: a grammar that is too large, never ends, or begins with itself. */
  constructor(grammar: Grammar, tokenizer: GrammarTokenizer) {
    const automaton = found(AUTOMATA, grammar, () => new Automaton(grammar));
    const trie = found(TRIES, tokenizer, () => tokenTrie(tokenizer));
    const byTrie = found(MASKS, automaton, () => new WeakMap<TokenTrie, TokenMasks>());
    this.#tokenizer = tokenizer;
    this.#masks = found(byTrie, trie, () => new TokenMasks(automaton, trie));
    this.#state = automaton.start();
  }

  /** Whether the text may end here. */
  get isComplete(): boolean {
    return this.#state.complete;
  }

  /** Whether it must. */
  get isOver(): boolean {
    return this.#state.final;
  }

  /** The ids that may come next. Those that end a generation are among them where the text may end. */
  allowed(): TokenSet {
    return this.#masks.of(this.#state);
  }

  /** The same for one id, without looking at the others. */
  allows(id: number): boolean {
    return this.#after(id) !== undefined;
  }

  /** @throws usage error: the id is not allowed. */
  accept(id: number): void {
    const next = this.#after(id);
    if (!next) throw new BitmillError('usage', `token ${id} does not go on as the grammar says`);
    this.#state = next;
  }

  /** Bytes that stand in the text already. @returns false, and changes nothing: the text does not go on so. */
  read(bytes: Uint8Array): boolean {
    const next = this.#masks.automaton.read(this.#state, bytes);
    if (next) this.#state = next;
    return next !== undefined;
  }

  #after(id: number): MatchState | undefined {
    const tokenizer = this.#tokenizer;
    if (!Number.isInteger(id) || id < 0 || id >= tokenizer.vocabularySize) return undefined;
    if (tokenizer.isEndOfGeneration(id)) return this.isComplete ? this.#state : undefined;
    const piece = tokenizer.isControl(id) ? undefined : tokenizer.piece(id);
    return piece && piece.length > 0 ? this.#masks.automaton.read(this.#state, piece) : undefined;
  }
}
