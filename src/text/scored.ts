/**
 * SentencePiece BPE as GGUF stores it (`tokenizer.ggml.model` = llama): tokens with scores, no list of merges. Of all
 * neighbours whose joint text is a token, those that make the token of the highest score merge first.
 */
import { ByteFallback } from './byte-tokens.ts';
import { PairMerger, type Pairs } from './merge.ts';
import type { WordEncoder } from './stages.ts';
import type { Vocabulary } from './vocabulary.ts';

export class ScoredEncoder implements WordEncoder {
  readonly merger = new PairMerger();
  readonly #vocabulary: Vocabulary;
  readonly #scores: ArrayLike<number>;
  readonly #bytes: ByteFallback;
  /** Of the longest token, in code units: longer pairs need no look-up. */
  readonly #longest: number;

  /** @param scores by id; numbers. */
  constructor(vocabulary: Vocabulary, scores: ArrayLike<number>) {
    this.#vocabulary = vocabulary;
    this.#scores = scores;
    this.#bytes = new ByteFallback(vocabulary);
    let longest = 0;
    for (const { length } of vocabulary.plainTexts) longest = Math.max(longest, length);
    this.#longest = longest;
  }

  encode(word: string): number[] {
    const whole = this.#vocabulary.plainIdOf(word);
    // A character alone is no pair's; the common short cut for words of one character.
    if (whole !== undefined && word.length === 1) return [whole];
    const places = characterPlaces(word);
    const n = places.length - 1;
    const next = this.merger.run(n, this.#pairs(word, places));
    const ids: number[] = [];
    for (let at = 0; at < n; at = next[at]) {
      const text = word.slice(places[at], places[next[at]]);
      const id = this.#vocabulary.plainIdOf(text);
      if (id !== undefined) ids.push(id);
      else this.#bytes.append(text, ids);
    }
    return ids;
  }

  #pairs(word: string, places: Int32Array): Pairs {
    return {
      rank: (left, _right, end) => {
        if (places[end] - places[left] > this.#longest) return Number.POSITIVE_INFINITY;
        const id = this.#vocabulary.plainIdOf(word.slice(places[left], places[end]));
        return id === undefined ? Number.POSITIVE_INFINITY : -this.#scores[id];
      },
      join: () => {},
    };
  }
}

/** Offsets of the characters (code points) of a text in code units, and its length. */
export function characterPlaces(text: string): Int32Array {
  const places = new Int32Array(text.length + 1);
  let count = 0;
  for (let at = 0; at < text.length; at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) places[count++] = at;
  places[count] = text.length;
  return places.subarray(0, count + 1);
}
