/**
 * The stages between a stretch of text and its ids. A kind of vocabulary is a choice of these three; the tokenizer
 * that runs them is the same for all.
 */

/** Ids of one piece that merges on its own. The answer depends on the piece alone and is not changed afterwards. */
export interface WordEncoder {
  encode(word: string): number[];
}

export interface Stages {
  /** Text as the vocabulary writes it. @param first the stretch begins the whole text. */
  normalize(text: string, first: boolean): string;
  /** Cuts normalized text into pieces that merge on their own. */
  cut(text: string, first: boolean): Iterable<string>;
  readonly words: WordEncoder;
  /** Bytes of a normal token. */
  bytes(text: string): Uint8Array;
  /** `encode` puts a space in front of a text; `decode` takes it away again. */
  readonly prefixesSpace: boolean;
}

/** Words remembered at most; with words of up to 64 characters that is some 10 MB. */
const REMEMBERED = 1 << 15;

/** Longer pieces are rare and not worth remembering. */
const LONGEST = 64;

/** Remembers the ids of words, the newest ones. */
export class RememberedWords implements WordEncoder {
  readonly #words: WordEncoder;
  readonly #known = new Map<string, number[]>();

  constructor(words: WordEncoder) {
    this.#words = words;
  }

  encode(word: string): number[] {
    if (word.length > LONGEST) return this.#words.encode(word);
    const known = this.#known.get(word);
    if (known) return known;
    const ids = this.#words.encode(word);
    if (this.#known.size >= REMEMBERED) this.#forgetOldest();
    this.#known.set(ownCopy(word), ids);
    return ids;
  }

  #forgetOldest(): void {
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}

/** The same text in memory of its own: a slice keeps the whole text that it was cut from alive. */
function ownCopy(text: string): string {
  return ` ${text}`.slice(1);
}
