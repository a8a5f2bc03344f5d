/**
 * A grammar that waits: the text is free until one of its triggers was written, then follows the grammar, and is free
 * again behind it.
 */
import type { Constraint } from '../sampling/constraint.ts';
import type { Grammar } from './expression.ts';
import { TokenGrammar } from './token-grammar.ts';
import type { GrammarTokenizer } from './token-trie.ts';

const EVERYTHING = { has: () => true };

const utf8 = new TextEncoder();

/** Where `sought` begins in `bytes`, or -1. */
function indexOf(bytes: readonly number[], sought: Uint8Array): number {
  for (let at = 0; at + sought.length <= bytes.length; at++) {
    if (sought.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  return -1;
}

export class LazyGrammar implements Constraint {
  readonly #grammar: Grammar;
  readonly #tokenizer: GrammarTokenizer;
  readonly #triggers: readonly Uint8Array[];
  readonly #longest: number;
  #active: TokenGrammar | undefined;
  /** The end of the free text, as far as a trigger may begin in it. */
  #end: number[] = [];

  /**
   * @param triggers texts, of control tokens as well, behind which the grammar begins.
   * @throws as TokenGrammar.
   */
  constructor(grammar: Grammar, tokenizer: GrammarTokenizer, triggers: readonly string[]) {
    this.#grammar = grammar;
    this.#tokenizer = tokenizer;
    this.#triggers = triggers.filter((trigger) => trigger !== '').map((trigger) => utf8.encode(trigger));
    this.#longest = Math.max(0, ...this.#triggers.map(({ length }) => length));
    // What is wrong with the grammar is said now, not in the middle of an answer.
    new TokenGrammar(grammar, tokenizer);
  }

  /** Whether the grammar is followed now. */
  get isActive(): boolean {
    return this.#active !== undefined;
  }

  /** A text may always go on: free text follows the grammar. */
  get isOver(): boolean {
    return false;
  }

  allowed(): { has(id: number): boolean } {
    return this.#active?.allowed() ?? EVERYTHING;
  }

  allows(id: number): boolean {
    return this.#active?.allows(id) ?? true;
  }

  accept(id: number): void {
    if (!this.#active) {
      this.#free(id);
      return;
    }
    this.#active.accept(id);
    if (this.#active.isOver) this.#active = undefined;
  }

  #free(id: number): void {
    if (this.#tokenizer.isEndOfGeneration(id)) return;
    this.#end.push(...this.#tokenizer.piece(id));
    for (const trigger of this.#triggers) {
      const at = indexOf(this.#end, trigger);
      if (at < 0) continue;
      this.#begin(this.#end.slice(at + trigger.length));
      return;
    }
    this.#end = this.#end.slice(Math.max(0, this.#end.length - this.#longest + 1));
  }

  /** @param written what the token holds behind the trigger; where the grammar does not go on so, the text stays free. */
  #begin(written: readonly number[]): void {
    const active = new TokenGrammar(this.#grammar, this.#tokenizer);
    const goesOn = active.read(Uint8Array.from(written)) && !active.isOver;
    this.#active = goesOn ? active : undefined;
    this.#end = [];
  }
}
