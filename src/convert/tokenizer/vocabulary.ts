/** A vocabulary under construction: one slot a token id, padded to the model's size. */
import { inputError } from '../../core/index.ts';
import { isRecord, type JsonRecord } from '../config.ts';

/** Token types of GGUF (`tokenizer.ggml.token_type`). */
export const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Vocabulary {
  readonly tokens: string[];
  readonly scores: number[];
  readonly types: number[];
}

/** Score of ids without a token, and of tokens that no merge may produce. */
const PAD_SCORE = -10000;
const ADDED_SCORE = -1000;

/** `size` slots `[PAD{id}]` of type unused. */
export function emptyVocabulary(size: number): Vocabulary {
  return {
    tokens: Array.from({ length: size }, (_, id) => `[PAD${id}]`),
    scores: new Array<number>(size).fill(PAD_SCORE),
    types: new Array<number>(size).fill(TOKEN_TYPES.unused),
  };
}

/** The pieces of tokenizer.json, `model.vocab`: text -> id. @throws input error: not that, or ids out of range. */
export function readPieces(model: JsonRecord, size: number, place: string): Map<string, number> {
  const vocab = model['vocab'];
  if (!isRecord(vocab)) throw inputError(place, 'model.vocab is not an object of tokens and ids');
  const pieces = new Map<string, number>();
  const taken = new Uint8Array(size);
  for (const [text, id] of Object.entries(vocab)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0) {
      throw inputError(place, `token ${JSON.stringify(text)} has the id ${JSON.stringify(id)}`);
    }
    if (id >= size) {
      throw inputError(
        place,
        `token ${JSON.stringify(text)} has the id ${id}, but the config's vocab_size is ${size}`,
      );
    }
    if (taken[id]) throw inputError(place, `two tokens have the id ${id}`);
    taken[id] = 1;
    pieces.set(text, id);
  }
  return pieces;
}

/** The merges of tokenizer.json as pairs, in order of rank; both spellings (`"a b"` and `["a", "b"]`). */
export function readMerges(model: JsonRecord, place: string): (readonly [string, string])[] {
  const merges = model['merges'];
  if (!Array.isArray(merges)) throw inputError(place, 'model.merges is not a list');
  return merges.map((merge: unknown, rank) => {
    const pair: readonly unknown[] =
      typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw inputError(
        place,
        `merge ${rank} is not a pair of tokens: ${JSON.stringify(merge)?.slice(0, 60)}`,
      );
    }
    return [left, right];
  });
}

/** A token beside the trained vocabulary. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/** Tokens that are control tokens although their files do not mark them as special. */
function looksSpecial(text: string): boolean {
  return /^(?:<pad>|<mask>|<\|.*\|>|<｜.*｜>|<unused.*>)$/s.test(text);
}

/**
 * Puts added tokens into their slots: control tokens, or user-defined ones with plain spaces.
 * @param warn told about tokens beyond the model's vocabulary, which are left out.
 */
export function placeAdded(
  vocabulary: Vocabulary,
  added: readonly AddedToken[],
  warn: (message: string) => void,
): void {
  const size = vocabulary.tokens.length;
  for (const { id, content, special } of added) {
    if (id >= size) {
      warn(`token ${id} ${JSON.stringify(content)} is beyond the model's vocabulary of ${size}; left out`);
      continue;
    }
    const control = special || looksSpecial(content);
    vocabulary.tokens[id] = control ? content : content.replaceAll('▁', ' ');
    vocabulary.scores[id] = ADDED_SCORE;
    vocabulary.types[id] = control ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
  }
}
