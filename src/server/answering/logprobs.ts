/** Log-probabilities in the two shapes that OpenAI's API has. */
import type { GeneratedToken, TokenLogprob } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { TokenLogprobEntry } from '../schemas/chat-response.ts';
import type { CompletionLogprobs } from '../schemas/completions.ts';

/** Stands for minus infinity, which JSON does not have; OpenAI's number. */
const LEAST = -9999;

const utf8 = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** A number that JSON has. */
function finite(logprob: number): number {
  return Math.max(logprob, LEAST);
}

function entry(tokenizer: Tokenizer, { id, logprob }: TokenLogprob) {
  const bytes = tokenizer.piece(id);
  return { token: utf8.decode(bytes), logprob: finite(logprob), bytes: Array.from(bytes) };
}

/** One token of a chat. */
export function chatLogprob(tokenizer: Tokenizer, token: GeneratedToken): TokenLogprobEntry {
  return {
    ...entry(tokenizer, { id: token.id, logprob: token.logprob ?? LEAST }),
    top_logprobs: (token.top ?? []).map((one) => entry(tokenizer, one)),
  };
}

/** A token's name where names are keys: bytes that are no text are spelled out, or several would have one name. */
function tokenName(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.piece(id);
  try {
    return strict.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}

/** A token with its place in the text; the first of a prompt has nothing before it that would make it likely. */
export interface PlacedToken {
  readonly id: number;
  readonly logprob?: number;
  readonly top?: readonly TokenLogprob[];
  /** Characters before it. */
  readonly offset: number;
}

/** Tokens in the older shape. */
export function completionLogprobs(tokenizer: Tokenizer, tokens: readonly PlacedToken[]): CompletionLogprobs {
  const named = (top: readonly TokenLogprob[]) =>
    Object.fromEntries(top.map(({ id, logprob }) => [tokenName(tokenizer, id), finite(logprob)]));
  return {
    tokens: tokens.map(({ id }) => tokenName(tokenizer, id)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs: tokens.map(({ top }) => (top ? named(top) : null)),
    text_offset: tokens.map(({ offset }) => offset),
  };
}
