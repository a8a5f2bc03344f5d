/** One answer of a chat: tokens in, deltas out. Chunks carry them as they are; a whole answer is their sum. */
import type { AnswerEnd, FinishReason, GeneratedToken } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { ChatDelta, ChatFinishReason, TokenLogprobEntry } from '../schemas/chat-response.ts';
import { chatLogprob } from './logprobs.ts';
import { TokenTrack, type TrackedToken } from './token-track.ts';

/** What became known with a token. */
export interface ChatPiece {
  readonly delta: ChatDelta;
  readonly logprobs: readonly TokenLogprobEntry[];
  /** With the last one. */
  readonly finish: ChatFinishReason | null;
}

/** An answer that fills the context ends as one that has as many tokens as it may. */
const FINISH = {
  stop: 'stop',
  length: 'length',
  context: 'length',
  aborted: 'stop',
} as const satisfies Record<FinishReason, ChatFinishReason>;

export class ChatChoice {
  readonly #tokenizer: Tokenizer;
  readonly #track: TokenTrack | undefined;

  /** @param ids the prompt. @param logprobs whether tokens are told. */
  constructor(tokenizer: Tokenizer, ids: Int32Array, logprobs: boolean) {
    this.#tokenizer = tokenizer;
    this.#track = logprobs ? new TokenTrack(tokenizer, ids) : undefined;
  }

  /** Undefined: nothing became known. */
  token(token: GeneratedToken): ChatPiece | undefined {
    const logprobs = this.#told(this.#track?.push(token));
    if (token.text === '' && logprobs.length === 0) return undefined;
    return { delta: { content: token.text }, logprobs, finish: null };
  }

  end({ text, reason }: AnswerEnd): ChatPiece {
    const logprobs = this.#told(this.#track?.end(text, reason === 'stop'));
    return { delta: text === '' ? {} : { content: text }, logprobs, finish: FINISH[reason] };
  }

  #told(tokens: readonly TrackedToken[] = []): TokenLogprobEntry[] {
    return tokens.map((token) => chatLogprob(this.#tokenizer, token));
  }
}
