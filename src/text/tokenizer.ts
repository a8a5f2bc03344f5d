/**
 * The tokenizer itself: special tokens first, then the stages of its kind of vocabulary. Ids are llama.cpp's for a GGUF
 * and Hugging Face's for a tokenizer.json. On purpose it differs from llama.cpp in this:
 * - where texts of special tokens overlap, the leftmost counts, as in Hugging Face's tokenizers, not the longest;
 * - the letters of plain text never merge into a control, unknown or byte token, whatever the vocabulary;
 * - white space behind special tokens of Phi-3 is dropped by the vocabulary, not only by the name of the model;
 * - decoding keeps every space: no "clean-up" before punctuation and apostrophes.
 */
import { usageError } from '../core/index.ts';
import { AddedMatcher, type AddedToken, type SPACES } from './added.ts';
import { byteOf } from './byte-tokens.ts';
import { streamingDecoder } from './decoder.ts';
import { RememberedWords, type Stages, type WordEncoder } from './stages.ts';
import type { DetokenizeOptions, StreamingDecoder, TokenizeOptions, Tokenizer } from './types.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly stages: Stages;
  /** Tokens that are read as wholes; the control tokens among them only on request. */
  readonly added: readonly AddedToken[];
  /** The same, but looked for in normalized text. */
  readonly addedNormalized?: readonly AddedToken[];
  readonly spaces: keyof typeof SPACES;
  readonly addBos: boolean;
  readonly addEos: boolean;
}

interface Matchers {
  readonly raw: AddedMatcher;
  readonly normalized: AddedMatcher;
}

const utf8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

export class VocabularyTokenizer implements Tokenizer {
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly #vocabulary: Vocabulary;
  readonly #stages: Stages;
  readonly #words: WordEncoder;
  readonly #plain: Matchers;
  readonly #special: Matchers;
  readonly #control: AddedMatcher;
  readonly #pieces: (Uint8Array | undefined)[] = [];

  constructor(parts: TokenizerParts) {
    this.#vocabulary = parts.vocabulary;
    this.#stages = parts.stages;
    this.#words = new RememberedWords(parts.stages.words);
    this.#special = matchers(parts, () => true);
    this.#plain = matchers(parts, ({ id }) => !this.isControl(id));
    const all = [...parts.added, ...(parts.addedNormalized ?? [])];
    this.#control = new AddedMatcher(
      all.filter(({ id }) => this.isControl(id)),
      parts.spaces,
    );
    this.addBos = parts.addBos && this.bos !== undefined;
    this.addEos = parts.addEos && this.eos !== undefined;
  }

  get vocabularySize(): number {
    return this.#vocabulary.size;
  }

  get bos(): number | undefined {
    return this.#vocabulary.special.bos;
  }

  get eos(): number | undefined {
    return this.#vocabulary.special.eos;
  }

  get eot(): number | undefined {
    return this.#vocabulary.special.eot;
  }

  get pad(): number | undefined {
    return this.#vocabulary.special.pad;
  }

  encode(text: string, { special = false, bos = false, guard = '' }: TokenizeOptions = {}): Int32Array {
    const ids: number[] = [];
    if (bos && this.addBos && this.bos !== undefined) ids.push(this.bos);
    const { raw, normalized } = special ? this.#special : this.#plain;
    let first = true;
    for (const part of raw.split(wellFormed(text))) {
      if (typeof part === 'number') ids.push(part);
      else this.#encodeStretch(part, first, normalized, guard, ids);
      first = false;
    }
    if (bos && this.addEos && this.eos !== undefined) ids.push(this.eos);
    return Int32Array.from(ids);
  }

  decode(ids: Iterable<number>, options: DetokenizeOptions = {}): string {
    const decoder = this.decoder(options);
    const texts: string[] = [];
    for (const id of ids) texts.push(decoder.push(id));
    texts.push(decoder.flush());
    return texts.join('');
  }

  decoder({ special = false, start = true }: DetokenizeOptions = {}): StreamingDecoder {
    const bytes = (id: number) => (!special && this.isControl(id) ? NO_BYTES : this.piece(id));
    return streamingDecoder(bytes, start && this.#stages.prefixesSpace);
  }

  piece(id: number): Uint8Array {
    this.#check(id);
    this.#pieces[id] ??= this.#bytesOf(id);
    return this.#pieces[id];
  }

  tokenOf(text: string): number | undefined {
    return this.#vocabulary.idOf(text);
  }

  isEndOfGeneration(id: number): boolean {
    return this.#vocabulary.isEndOfGeneration(id);
  }

  isControl(id: number): boolean {
    this.#check(id);
    const kind = this.#vocabulary.kinds[id];
    return kind === 'control' || kind === 'unknown';
  }

  guardControl(text: string, guard: string): string {
    return this.#control.guard(text, guard);
  }

  #encodeStretch(text: string, first: boolean, matcher: AddedMatcher, guard: string, ids: number[]): void {
    for (const part of matcher.split(this.#stages.normalize(text, first))) {
      if (typeof part === 'number') {
        ids.push(part);
        continue;
      }
      const plain = guard === '' ? part : part.replaceAll(guard, '');
      for (const word of this.#stages.cut(plain, first)) {
        for (const id of this.#words.encode(word)) ids.push(id);
      }
    }
  }

  #bytesOf(id: number): Uint8Array {
    const text = this.#vocabulary.texts[id];
    const kind = this.#vocabulary.kinds[id];
    if (text === undefined || kind === 'unused') return NO_BYTES;
    const byte = kind === 'byte' ? byteOf(text) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    return kind === 'normal' ? this.#stages.bytes(text) : utf8.encode(text);
  }

  #check(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabularySize) return;
    throw usageError(`there is no token ${id}: the vocabulary has ids 0 to ${this.vocabularySize - 1}`);
  }
}

function matchers(parts: TokenizerParts, wanted: (token: AddedToken) => boolean): Matchers {
  const of = (tokens: readonly AddedToken[]) => new AddedMatcher(tokens.filter(wanted), parts.spaces);
  return { raw: of(parts.added), normalized: of(parts.addedNormalized ?? []) };
}

/** Lone surrogates are no characters; they become U+FFFD, as TextEncoder makes them. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Surrogate}/gu, '\ufffd');
}
