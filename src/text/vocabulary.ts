/**
 * A vocabulary as data: texts, kinds and special ids. Loaders fill it from a GGUF or a tokenizer.json; what follows
 * from the texts alone (which tokens are control tokens and which end a generation) is worked out here for both.
 */
import { CONTROL_TEXTS, END_OF_TURN_TEXTS, endsGeneration, RENDERED_TEXTS } from './known-tokens.ts';

/** What a token is. `unused` is a slot without text of its own. */
export type TokenKind = 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte';

/** Special ids that a file may name. */
export interface SpecialIds {
  readonly bos?: number | undefined;
  readonly eos?: number | undefined;
  readonly eot?: number | undefined;
  readonly pad?: number | undefined;
  readonly unknown?: number | undefined;
}

export interface VocabularySource {
  /** By id; undefined for ids without a token. */
  readonly texts: readonly (string | undefined)[];
  readonly kinds: readonly TokenKind[];
  readonly special: SpecialIds;
  /** Ids that end a generation although nothing in their text says so. */
  readonly endIds?: readonly number[];
}

export class Vocabulary {
  readonly texts: readonly (string | undefined)[];
  readonly kinds: readonly TokenKind[];
  readonly special: SpecialIds;
  readonly #ids = new Map<string, number>();
  readonly #plain = new Map<string, number>();
  readonly #ends: ReadonlySet<number>;

  constructor({ texts, kinds, special, endIds = [] }: VocabularySource) {
    this.texts = texts;
    this.#fill(texts);
    this.special = { ...special, eot: special.eot ?? this.#firstOf(END_OF_TURN_TEXTS) };
    this.kinds = kinds.map((kind, id) => kindOf(texts[id], kind));
    texts.forEach((text, id) => {
      const kind = this.kinds[id];
      if (text !== undefined && kind !== 'control' && kind !== 'unknown' && kind !== 'byte') {
        this.#plain.set(text, id);
      }
    });
    this.#ends = endsGeneration(this.#ids, [this.special.eos, this.special.eot, ...endIds]);
  }

  get size(): number {
    return this.texts.length;
  }

  idOf(text: string): number | undefined {
    return this.#ids.get(text);
  }

  /** Id of a token that merging may make: no control, unknown or byte token comes out of plain text by its letters. */
  plainIdOf(text: string): number | undefined {
    return this.#plain.get(text);
  }

  /** Tokens that merging may make. */
  get plainTexts(): Iterable<string> {
    return this.#plain.keys();
  }

  isEndOfGeneration(id: number): boolean {
    return this.#ends.has(id);
  }

  #fill(texts: readonly (string | undefined)[]): void {
    // Of equal texts the first counts; readers refuse them, but merging must not depend on that.
    texts.forEach((text, id) => {
      if (text !== undefined && !this.#ids.has(text)) this.#ids.set(text, id);
    });
  }

  #firstOf(texts: readonly string[]): number | undefined {
    for (const text of texts) {
      const id = this.#ids.get(text);
      if (id !== undefined) return id;
    }
    return undefined;
  }
}

/** Converters get kinds wrong; tokens that end turns or mark roles are known by their texts (as llama.cpp has it). */
function kindOf(text: string | undefined, kind: TokenKind): TokenKind {
  if (text === undefined) return 'unused';
  if (RENDERED_TEXTS.has(text)) return 'user-defined';
  return CONTROL_TEXTS.has(text) ? 'control' : kind;
}
