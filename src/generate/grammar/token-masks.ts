/** Which tokens a state of matching allows: trie and automaton walked together, and the results remembered. */
import { BitmillError } from '../../core/index.ts';
import type { Automaton, MatchState } from './automaton.ts';
import { LIMITS } from './limits.ts';
import type { TokenTrie } from './token-trie.ts';

/** A set of token ids. */
export class TokenSet {
  readonly #bits: Uint32Array;
  /** Number of ids in it. */
  readonly size: number;

  constructor(bits: Uint32Array, size: number) {
    this.#bits = bits;
    this.size = size;
  }

  has(id: number): boolean {
    return id >= 0 && id < this.#bits.length * 32 && (this.#bits[id >>> 5] & (1 << (id & 31))) !== 0;
  }

  /** In order. */
  *ids(): Generator<number> {
    for (let id = 0; id < this.#bits.length * 32; id++) if (this.has(id)) yield id;
  }
}

export class TokenMasks {
  readonly automaton: Automaton;
  readonly trie: TokenTrie;
  /** Last used last. */
  readonly #known = new Map<number, TokenSet>();
  readonly #most: number;

  constructor(automaton: Automaton, trie: TokenTrie) {
    this.automaton = automaton;
    this.trie = trie;
    this.#most = Math.max(8, Math.floor(LIMITS.masks / (trie.vocabularySize / 8 + 64)));
  }

  /** @throws resources error: the grammar is too ambiguous to look at every token. */
  of(state: MatchState): TokenSet {
    const known = this.#known.get(state.id);
    this.#known.delete(state.id);
    const mask = known ?? this.#walk(state);
    this.#known.set(state.id, mask);
    if (this.#known.size > this.#most) {
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    }
    return mask;
  }

  #walk(start: MatchState): TokenSet {
    const { automaton } = this;
    const { vocabularySize, bytes, depths, skips, starts, ids, maxDepth, ends } = this.trie;
    const { classes } = automaton;
    const bits = new Uint32Array(Math.ceil(vocabularySize / 32));
    let size = 0;
    const allow = (id: number): void => {
      bits[id >>> 5] |= 1 << (id & 31);
      size++;
    };
    if (start.complete) ends.forEach(allow);
    const limit = automaton.work + LIMITS.work;
    const path = new Array<MatchState>(maxDepth + 1).fill(start);
    for (let node = 0; node < bytes.length; ) {
      const from = path[depths[node] - 1];
      const byteClass = classes[bytes[node]];
      const next = from.next[byteClass] ?? automaton.step(from, byteClass);
      if (!next) {
        node = skips[node];
        continue;
      }
      if (automaton.work > limit) throw tooMuchWork();
      path[depths[node]] = next;
      for (let at = starts[node]; at < starts[node + 1]; at++) allow(ids[at]);
      node++;
    }
    return new TokenSet(bits, size);
  }
}

function tooMuchWork(): BitmillError {
  return new BitmillError('resources', 'the grammar is too ambiguous to try every token of the vocabulary', {
    hint: 'make its alternatives differ in how they begin',
  });
}
