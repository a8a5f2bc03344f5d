/** One answer of a chat: tokens in, deltas out. Chunks carry them as they are; a whole answer is their sum. */
import type { AnswerEnd, GeneratedToken } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import type { ChatDelta, ChatFinishReason, TokenLogprobEntry } from '../schemas/chat-response.ts';
import { chatLogprob } from './logprobs.ts';
import { TextChoice, type TextPiece } from './text-choice.ts';

/** What became known with a token. */
export interface ChatPiece {
  readonly delta: ChatDelta;
  readonly logprobs: readonly TokenLogprobEntry[];
  /** With the last one. */
  readonly finish: ChatFinishReason | null;
}

export class ChatChoice {
  readonly #tokenizer: Tokenizer;
  readonly #text: TextChoice;

  /** @param ids the prompt. @param logprobs whether tokens are told. */
  constructor(tokenizer: Tokenizer, ids: Int32Array, logprobs: boolean) {
    this.#tokenizer = tokenizer;
    this.#text = new TextChoice(tokenizer, ids, logprobs);
  }

  /** Undefined: nothing became known. */
  token(token: GeneratedToken): ChatPiece | undefined {
    const piece = this.#text.token(token);
    return piece && this.#chatPiece(piece);
  }

  end(end: AnswerEnd): ChatPiece {
    return this.#chatPiece(this.#text.end(end));
  }

  #chatPiece({ text, tokens, finish }: TextPiece): ChatPiece {
    const logprobs = tokens.map((token) => chatLogprob(this.#tokenizer, token));
    return { delta: text === '' ? {} : { content: text }, logprobs, finish };
  }
}
