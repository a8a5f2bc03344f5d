/**
 * Finds the tokens that are read as wholes, before anything else looks at a text: control tokens where they are
 * asked for, and tokens that were added to a vocabulary by hand. At each place the longest one counts, as in
 * Hugging Face's tokenizers. (llama.cpp looks for the longest token first, wherever it is: that differs only where
 * two such tokens overlap.)
 */

export interface AddedToken {
  readonly id: number;
  /** As it stands in texts; not empty. */
  readonly text: string;
  /** White space before or behind it belongs to it. */
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  /** Only where no letter, digit or underscore touches it. */
  readonly singleWord?: boolean;
}

/** What strip takes for white space: C's isspace (llama.cpp) or Unicode's White_Space (Hugging Face). */
export const SPACES = {
  ascii: /[\t-\r ]/,
  unicode: /\p{White_Space}/u,
} as const satisfies Record<string, RegExp>;

const WORD_BEFORE = /[\p{L}\p{M}\p{N}\p{Pc}]$/u;
const WORD_BEHIND = /^[\p{L}\p{M}\p{N}\p{Pc}]/u;

/** Largest number of different first code units. */
const UNITS = 1 << 16;

/** A stretch of text, or the id of a token. */
export type Part = string | number;

export class AddedMatcher {
  readonly #tokens = new Map<string, AddedToken>();
  /** Lengths of the tokens by their first code unit, longest first. */
  readonly #lengths = new Map<number, number[]>();
  readonly #first = new Uint8Array(UNITS);
  readonly #space: RegExp;

  constructor(tokens: Iterable<AddedToken>, spaces: keyof typeof SPACES) {
    this.#space = SPACES[spaces];
    for (const token of tokens) {
      if (token.text === '') continue;
      this.#tokens.set(token.text, token);
      const unit = token.text.charCodeAt(0);
      const lengths = this.#lengths.get(unit) ?? [];
      if (!lengths.includes(token.text.length)) lengths.push(token.text.length);
      lengths.sort((a, b) => b - a);
      this.#lengths.set(unit, lengths);
      this.#first[unit] = 1;
    }
  }

  /** The text as stretches (never empty) and ids, in order. */
  split(text: string): Part[] {
    if (this.#tokens.size === 0) return text === '' ? [] : [text];
    const parts: Part[] = [];
    let begin = 0;
    for (let at = 0; at < text.length; at++) {
      if (this.#first[text.charCodeAt(at)] === 0) continue;
      const token = this.#tokenAt(text, at);
      if (!token) continue;
      const left = token.lstrip ? this.#before(text, begin, at) : at;
      if (left > begin) parts.push(text.slice(begin, left));
      parts.push(token.id);
      begin = at + token.text.length;
      if (token.rstrip) while (begin < text.length && this.#space.test(text[begin])) begin++;
      at = begin - 1;
    }
    if (begin < text.length) parts.push(text.slice(begin));
    return parts;
  }

  /** The text with `guard` behind the first unit of every token's text. */
  guard(text: string, guard: string): string {
    let guarded = '';
    let done = 0;
    for (let at = 0; at < text.length; at++) {
      if (this.#first[text.charCodeAt(at)] === 0 || !this.#tokenAt(text, at)) continue;
      guarded += text.slice(done, at + 1) + guard;
      done = at + 1;
    }
    return guarded + text.slice(done);
  }

  #tokenAt(text: string, at: number): AddedToken | undefined {
    for (const length of this.#lengths.get(text.charCodeAt(at)) ?? []) {
      const token = at + length <= text.length ? this.#tokens.get(text.slice(at, at + length)) : undefined;
      if (token && !(token.singleWord && touchesWord(text, at, at + length))) return token;
    }
    return undefined;
  }

  /** Where the white space that ends at `at` begins. */
  #before(text: string, begin: number, at: number): number {
    let left = at;
    while (left > begin && this.#space.test(text[left - 1])) left--;
    return left;
  }
}

function touchesWord(text: string, begin: number, end: number): boolean {
  // The last two units hold the whole character before, and perhaps one more, which the $ leaves aside.
  return (
    WORD_BEFORE.test(text.slice(Math.max(0, begin - 2), begin)) || WORD_BEHIND.test(text.slice(end, end + 2))
  );
}
