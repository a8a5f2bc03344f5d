/**
 * SentencePiece vocabularies (Phi-3, Llama 2, TinyLlama, Mistral), from tokenizer.model or from tokenizer.json
 * alone: llama.cpp merges by score, tokenizer.json by rank; both are the order of training, so the scores can be
 * rebuilt.
 */
import { inputError } from '../../core/index.ts';
import { readSentencePiece } from '../../hf/index.ts';
import type { JsonRecord } from '../config.ts';
import { emptyVocabulary, readMerges, readPieces, TOKEN_TYPES, type Vocabulary } from './vocabulary.ts';

const BYTE_TOKEN = /^<0x[0-9A-Fa-f]{2}>$/;
const ONLY_SPACES = /^▁+$/;

/** What SentencePiece gives to spaces, so that they merge after everything else. */
const SPACES_SCORE = -1e9;

/** Whether a tokenizer.json's model is a SentencePiece BPE: it falls back to byte tokens. */
export function isSentencePiece(model: JsonRecord): boolean {
  return model['type'] === 'BPE' && model['byte_fallback'] === true;
}

/**
 * Whether merges are ordered by the id of what they make: then ids are the order of training. Runs of spaces
 * stand last and are left aside.
 */
function idsFollowMerges(
  merges: readonly (readonly [string, string])[],
  pieces: ReadonlyMap<string, number>,
): boolean {
  let last = -1;
  for (const [left, right] of merges) {
    const made = left + right;
    if (ONLY_SPACES.test(made)) continue;
    const id = pieces.get(made);
    if (id === undefined || id < last) return false;
    last = id;
  }
  return true;
}

/** Best rank of a merge that makes each piece, for vocabularies whose ids are in no order. */
function mergeRanks(merges: readonly (readonly [string, string])[]): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of merges.entries()) {
    const made = left + right;
    if (!ranks.has(made)) ranks.set(made, rank);
  }
  return ranks;
}

/**
 * Score of each normal piece: minus its distance from the first normal piece, as SentencePiece numbers them;
 * runs of spaces get -1e9. Where ids are in no order: minus the rank of the merge that makes the piece.
 */
function rebuildScores(
  pieces: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  first: number,
): (piece: string, id: number) => number {
  if (idsFollowMerges(merges, pieces)) {
    return (piece, id) => (ONLY_SPACES.test(piece) ? SPACES_SCORE : first - id || 0);
  }
  const ranks = mergeRanks(merges);
  return (piece, id) => -(ranks.get(piece) ?? merges.length + id);
}

/**
 * The trained pieces in their slots; added tokens are placed afterwards.
 * @param size the model's vocabulary.
 * @param addedIds ids of added tokens, which are no normal pieces even where `model.vocab` lists them.
 * @throws input error: malformed vocabulary or merges, or ids beyond `size`.
 */
export function sentencePieceVocabulary(
  model: JsonRecord,
  size: number,
  addedIds: ReadonlySet<number>,
  place: string,
): Vocabulary {
  const pieces = readPieces(model, size, place);
  const merges = readMerges(model, place);
  const vocabulary = emptyVocabulary(size);
  let first = size;
  for (const [piece, id] of pieces) {
    if (!addedIds.has(id) && !BYTE_TOKEN.test(piece)) first = Math.min(first, id);
  }
  const score = rebuildScores(pieces, merges, first);
  for (const [piece, id] of pieces) {
    const isByte = BYTE_TOKEN.test(piece);
    vocabulary.tokens[id] = piece;
    vocabulary.scores[id] = isByte ? 0 : score(piece, id);
    vocabulary.types[id] = isByte ? TOKEN_TYPES.byte : TOKEN_TYPES.normal;
  }
  const unknown = model['unk_token'];
  const unknownId = typeof unknown === 'string' ? pieces.get(unknown) : undefined;
  if (unknownId !== undefined) {
    vocabulary.types[unknownId] = TOKEN_TYPES.unknown;
    vocabulary.scores[unknownId] = 0;
  }
  return vocabulary;
}

/** Types of pieces in tokenizer.model -> types of tokens. User-defined pieces are added tokens elsewhere. */
const PIECE_TOKEN_TYPES = {
  normal: TOKEN_TYPES.normal,
  unknown: TOKEN_TYPES.unknown,
  control: TOKEN_TYPES.control,
  user_defined: TOKEN_TYPES.normal,
  unused: TOKEN_TYPES.unused,
  byte: TOKEN_TYPES.byte,
} as const;

/**
 * The pieces of a tokenizer.model in their slots, with the scores that they were trained to.
 * @param warn told when the model's vocabulary is smaller; the rest is left out.
 * @throws input error: malformed, or not of the BPE kind.
 */
export function trainedVocabulary(
  bytes: Uint8Array,
  size: number,
  place: string,
  warn: (message: string) => void,
): Vocabulary {
  const { kind, pieces } = readSentencePiece(bytes, place);
  if (kind !== 'bpe')
    throw inputError(place, `is a SentencePiece model of kind ${kind}; bpe can be converted`);
  if (pieces.length > size) {
    warn(`${place}: has ${pieces.length} pieces, the model ${size}; the rest is left out`);
  }
  const vocabulary = emptyVocabulary(size);
  for (const [id, { text, score, type }] of pieces.slice(0, size).entries()) {
    vocabulary.tokens[id] = text;
    vocabulary.scores[id] = score;
    vocabulary.types[id] = PIECE_TOKEN_TYPES[type];
  }
  return vocabulary;
}
