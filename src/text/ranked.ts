/**
 * BPE with a list of merges: the pair that stands first in the list merges first. Words start as bytes (byte-level
 * vocabularies) or as characters that fall back to byte tokens (SentencePiece vocabularies out of a tokenizer.json).
 */
import { BYTE_SYMBOLS } from './byte-symbols.ts';
import { ByteFallback } from './byte-tokens.ts';
import { PairMerger, type Pairs } from './merge.ts';
import type { WordEncoder } from './stages.ts';
import type { Vocabulary } from './vocabulary.ts';

/** Merges over ids. */
export class MergeList {
  readonly merger = new PairMerger();
  readonly #size: number;
  /** left id * size + right id -> place in the list. */
  readonly #ranks = new Map<number, number>();
  /** By place in the list: the id that is made. */
  readonly #made: number[] = [];

  /** @param merges pairs of texts, first things first; those whose parts or whole are no tokens never apply. */
  constructor(vocabulary: Vocabulary, merges: Iterable<readonly [string, string]>) {
    this.#size = vocabulary.size;
    for (const [left, right] of merges) {
      const rank = this.#made.length;
      const [a, b, made] = [left, right, left + right].map((text) => vocabulary.plainIdOf(text) ?? -1);
      this.#made.push(made);
      const key = a * this.#size + b;
      if (a >= 0 && b >= 0 && made >= 0 && !this.#ranks.has(key)) this.#ranks.set(key, rank);
    }
  }

  /** Merges ids in place of symbols; -1 is a symbol without a token. @returns ids, -1 among them. */
  apply(ids: number[]): number[] {
    const next = this.merger.run(ids.length, this.#pairs(ids));
    const merged: number[] = [];
    for (let at = 0; at < ids.length; at = next[at]) merged.push(ids[at]);
    return merged;
  }

  #rank(left: number, right: number): number | undefined {
    return left < 0 || right < 0 ? undefined : this.#ranks.get(left * this.#size + right);
  }

  #pairs(ids: number[]): Pairs {
    return {
      rank: (left, right) => this.#rank(ids[left], ids[right]) ?? Number.POSITIVE_INFINITY,
      join: (left, right) => {
        ids[left] = this.#made[this.#rank(ids[left], ids[right]) ?? 0];
      },
    };
  }
}

const utf8 = new TextEncoder();

/** Byte-level BPE: GPT-2, Llama 3, Qwen, SmolLM2, Phi-4. */
export class ByteLevelEncoder implements WordEncoder {
  readonly #vocabulary: Vocabulary;
  readonly #merges: MergeList;
  readonly #wholeWords: boolean;
  /** By byte; -1 where the vocabulary lacks it: such bytes are lost, or become the unknown token. */
  readonly #ids: Int32Array;

  /** @param wholeWords take words that are tokens unmerged (`ignore_merges`). */
  constructor(vocabulary: Vocabulary, merges: MergeList, wholeWords: boolean) {
    this.#vocabulary = vocabulary;
    this.#merges = merges;
    this.#wholeWords = wholeWords;
    this.#ids = Int32Array.from(BYTE_SYMBOLS, (symbol) => vocabulary.plainIdOf(symbol) ?? -1);
  }

  encode(word: string): number[] {
    const bytes = utf8.encode(word);
    const whole = this.#wholeWords ? this.#wordId(bytes) : undefined;
    if (whole !== undefined) return [whole];
    return this.#merges.apply(Array.from(bytes, (byte) => this.#ids[byte])).filter((id) => id >= 0);
  }

  #wordId(bytes: Uint8Array): number | undefined {
    let text = '';
    for (const byte of bytes) text += BYTE_SYMBOLS[byte];
    return this.#vocabulary.plainIdOf(text);
  }
}

/** SentencePiece BPE as tokenizer.json stores it: characters and a list of merges. */
export class CharacterEncoder implements WordEncoder {
  readonly #vocabulary: Vocabulary;
  readonly #merges: MergeList;
  readonly #wholeWords: boolean;
  readonly #bytes: ByteFallback;

  constructor(vocabulary: Vocabulary, merges: MergeList, wholeWords: boolean) {
    this.#vocabulary = vocabulary;
    this.#merges = merges;
    this.#wholeWords = wholeWords;
    this.#bytes = new ByteFallback(vocabulary);
  }

  encode(word: string): number[] {
    const whole = this.#wholeWords ? this.#vocabulary.plainIdOf(word) : undefined;
    if (whole !== undefined) return [whole];
    const ids: number[] = [];
    for (const character of word) {
      const id = this.#vocabulary.plainIdOf(character);
      if (id === undefined) this.#bytes.append(character, ids);
      else ids.push(id);
    }
    return this.#merges.apply(ids);
  }
}
