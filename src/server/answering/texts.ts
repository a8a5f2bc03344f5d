/** Prompts and inputs that are texts or ids, one or many. */
import type { ModelService } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import { contextError, invalid } from '../errors.ts';
import type { Texts } from '../schemas/completions.ts';

/** One text or its ids. */
export type TextOrIds = string | readonly number[];

export function listOf(texts: Texts): readonly TextOrIds[] {
  if (typeof texts === 'string') return [texts];
  return typeof texts[0] === 'number' ? [texts as number[]] : (texts as string[] | number[][]);
}

/** `prompt[2]`, or `prompt` where there is but one. */
export function placeOf(field: string, texts: readonly TextOrIds[], index: number): string {
  return texts.length === 1 ? field : `${field}[${index}]`;
}

/** @throws 400: an id that the vocabulary does not have. */
function known(place: string, ids: readonly number[], { vocabularySize }: Tokenizer): Int32Array {
  const stranger = ids.find((id) => id >= vocabularySize);
  if (stranger === undefined) return Int32Array.from(ids);
  throw invalid(place, `token ${stranger} does not exist; there are ${vocabularySize}`);
}

/** Ids as they are; a text with what the vocabulary puts around it. @throws 400: none, too many, or unknown ones. */
export function idsOf(
  place: string,
  text: TextOrIds,
  service: ModelService,
  encode: (text: string) => Int32Array,
): Int32Array {
  const ids = typeof text === 'string' ? encode(text) : known(place, text, service.tokenizer);
  if (ids.length === 0) throw invalid(place, 'has no token');
  if (ids.length > service.contextSize) throw contextError(place, ids.length, service.contextSize);
  return ids;
}

/** A text that is gone on with: BOS in front, once, where the vocabulary wants it; nothing behind. */
export function promptIds(tokenizer: Tokenizer, text: string): Int32Array {
  const ids = tokenizer.encode(text, { special: true });
  const { bos, addBos } = tokenizer;
  return addBos && bos !== undefined && ids[0] !== bos ? Int32Array.of(bos, ...ids) : ids;
}
