/** Byte-level BPE vocabularies (GPT-2's scheme: Llama 3, SmolLM2, Phi-4). */
import type { JsonRecord } from '../config.ts';
import { emptyVocabulary, readMerges, readPieces, TOKEN_TYPES, type Vocabulary } from './vocabulary.ts';

/** A space inside a part of a merge, as byte-level vocabularies write it. */
const SPACE_SYMBOL = 'Ġ';

/** The trained tokens in their slots and the merges as `left right`. @throws input error: malformed. */
export function byteLevelVocabulary(
  model: JsonRecord,
  size: number,
  place: string,
): Vocabulary & { readonly merges: string[] } {
  const vocabulary = emptyVocabulary(size);
  for (const [piece, id] of readPieces(model, size, place)) {
    vocabulary.tokens[id] = piece;
    vocabulary.types[id] = TOKEN_TYPES.normal;
  }
  const merges = readMerges(model, place).map((pair) =>
    pair.map((part) => part.replaceAll(' ', SPACE_SYMBOL)).join(' '),
  );
  return { ...vocabulary, merges };
}
