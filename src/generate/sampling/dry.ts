/**
 * DRY ("don't repeat yourself", p-e-w, text-generation-webui #5677): a token that would go on a sequence which stood in
 * the text already loses multiplier * base^(length of that sequence - allowed length) of its logit. Breakers end sequences
 * and are never penalized, so that what a chat repeats on purpose is not mistaken for a loop.
 */
import type { SamplingOptions } from './options.ts';

/** What is needed of a tokenizer to find the tokens that break sequences; `text` has it. */
export interface PieceTokenizer {
  readonly vocabularySize?: number;
  piece?(id: number): Uint8Array;
}

/** e^88 is about where f32 ends, and far beyond any logit. */
const MOST_EXPONENT = 88;

const FOUND = new WeakMap<PieceTokenizer, Map<string, ReadonlySet<number>>>();

/** Ids of all tokens whose text holds one of these texts. Remembered by tokenizer. */
export function breakerIds(tokenizer: PieceTokenizer, texts: readonly string[]): ReadonlySet<number> {
  const known = FOUND.get(tokenizer) ?? new Map<string, ReadonlySet<number>>();
  FOUND.set(tokenizer, known);
  const key = JSON.stringify(texts);
  const found = known.get(key) ?? findBreakers(tokenizer, texts);
  known.clear();
  known.set(key, found);
  return found;
}

function findBreakers(tokenizer: PieceTokenizer, texts: readonly string[]): ReadonlySet<number> {
  const found = new Set<number>();
  const sought = texts.filter((text) => text !== '');
  const decoder = new TextDecoder();
  for (let id = 0; id < (tokenizer.vocabularySize ?? 0) && sought.length > 0; id++) {
    const piece = decoder.decode(tokenizer.piece?.(id));
    if (sought.some((text) => piece.includes(text))) found.add(id);
  }
  return found;
}

/**
 * By index k: how many tokens from k on equal those from 0 on (Z-function), 0 at k = 0. Linear time.
 * @param most matches longer than this are not told apart.
 */
export function commonLengths(tokens: readonly number[], most: number): Int32Array {
  const lengths = new Int32Array(tokens.length);
  let [left, right] = [0, 0];
  for (let at = 1; at < tokens.length; at++) {
    let length = at < right ? Math.min(right - at, lengths[at - left]) : 0;
    while (at + length < tokens.length && tokens[length] === tokens[at + length]) length++;
    lengths[at] = length;
    if (at + length > right) [left, right] = [at, at + length];
  }
  return lengths.map((length) => Math.min(length, most));
}

type DryOptions = Pick<SamplingOptions, 'dryMultiplier' | 'dryBase' | 'dryAllowedLength' | 'dryRange'>;

/** What each token loses that would go on a sequence. @param history all tokens so far. */
export function dryPenalties(
  history: readonly number[],
  breakers: ReadonlySet<number>,
  { dryMultiplier, dryBase, dryAllowedLength, dryRange }: DryOptions,
): Map<number, number> {
  const penalties = new Map<number, number>();
  const recent = history.slice(dryRange > 0 ? -dryRange : 0).reverse();
  const broken = recent.findIndex((id) => breakers.has(id));
  const most = broken < 0 ? recent.length : broken;
  if (most < dryAllowedLength) return penalties;
  const lengths = commonLengths(recent, most);
  const longest = new Map<number, number>();
  // Backwards, what follows on a sequence stands before it.
  for (let at = 1; at < recent.length; at++) {
    const next = recent[at - 1];
    if (lengths[at] < dryAllowedLength || breakers.has(next)) continue;
    longest.set(next, Math.max(longest.get(next) ?? 0, lengths[at]));
  }
  for (const [id, length] of longest) {
    const exponent = Math.min((length - dryAllowedLength) * Math.log(dryBase), MOST_EXPONENT);
    penalties.set(id, dryMultiplier * Math.exp(exponent));
  }
  return penalties;
}
