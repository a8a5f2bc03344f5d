/** Log-probabilities in the two shapes that OpenAI's API has. */
import type { GeneratedToken, TokenLogprob } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { TokenLogprobEntry } from '../schemas/chat-response.ts';

/** Stands for minus infinity, which JSON does not have; OpenAI's number. */
const LEAST = -9999;

const utf8 = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** A number that JSON has. */
export function finite(logprob: number | undefined): number {
  return Math.max(logprob ?? LEAST, LEAST);
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
export function tokenName(tokenizer: Tokenizer, id: number): string {
  const bytes = tokenizer.piece(id);
  try {
    return strict.decode(bytes);
  } catch {
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }
}
