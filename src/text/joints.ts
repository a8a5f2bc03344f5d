/**
 * Where a text can be cut without changing how it merges: between two characters that stand side by side in no
 * token. Whatever merges across such a place would be a token that holds both, so nothing ever does. Vocabularies
 * that are trained on words are thus cut at words, and words can be remembered.
 */

/** Code points are below this. */
const CODE_POINTS = 0x110000;

export class Joints {
  /** Neighbours inside tokens: left * CODE_POINTS + right. */
  readonly #neighbours = new Set<number>();

  /** @param texts of all tokens that merging may make. */
  constructor(texts: Iterable<string>) {
    for (const text of texts) {
      let left = -1;
      for (const character of text) {
        const right = character.codePointAt(0) ?? 0;
        if (left >= 0) this.#neighbours.add(left * CODE_POINTS + right);
        left = right;
      }
    }
  }

  /** The text in pieces that merge independently; none is empty. */
  cut(text: string): string[] {
    const pieces: string[] = [];
    let begin = 0;
    let left = -1;
    for (let at = 0; at < text.length; ) {
      const right = text.codePointAt(at) ?? 0;
      if (left >= 0 && !this.#neighbours.has(left * CODE_POINTS + right)) {
        pieces.push(text.slice(begin, at));
        begin = at;
      }
      left = right;
      at += right > 0xffff ? 2 : 1;
    }
    if (begin < text.length) pieces.push(text.slice(begin));
    return pieces;
  }
}
