/** Grammars by what describes them: what is learned of one serves all answers with it. */
import type { Grammar } from './expression.ts';

/** Grammars kept; the masks of one may take some 32 MB. */
const KEPT = 8;

/** A grammar for each text that describes one; the least lately used go first. */
export class GrammarCache {
  readonly #known = new Map<string, Grammar>();

  get(key: string, make: () => Grammar): Grammar {
    const grammar = this.#known.get(key) ?? make();
    this.#known.delete(key);
    this.#known.set(key, grammar);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEPT) this.#known.delete(oldest);
    return grammar;
  }
}
