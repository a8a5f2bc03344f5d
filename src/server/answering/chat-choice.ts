/** One answer of a chat: tokens in, deltas out. Chunks carry them as they are; a whole answer is their sum. */
import type { AnswerEnd, AnswerParser, GeneratedToken, ToolDelta } from '../../generate/index.ts';
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
  readonly #parser: AnswerParser;

  /** @param ids the prompt. @param logprobs whether tokens are told. */
  constructor(tokenizer: Tokenizer, ids: Int32Array, logprobs: boolean, parser: AnswerParser) {
    this.#tokenizer = tokenizer;
    this.#text = new TextChoice(tokenizer, ids, logprobs);
    this.#parser = parser;
  }

  /** Undefined: nothing became known. */
  token(token: GeneratedToken): ChatPiece | undefined {
    const logprobs = this.#told(this.#text.token(token));
    const delta = deltaOf(this.#parser.push(token.text, token.id));
    const isEmpty = logprobs.length === 0 && delta.content === undefined && delta.tool_calls === undefined;
    return isEmpty ? undefined : { delta, logprobs, finish: null };
  }

  end(end: AnswerEnd): ChatPiece {
    const piece = this.#text.end(end);
    const said = this.#parser.push(piece.text);
    const rest = this.#parser.flush();
    const delta = deltaOf({ text: said.text + rest.text, calls: [...said.calls, ...rest.calls] });
    const calls = this.#parser.count > 0 && piece.finish === 'stop';
    return { delta, logprobs: this.#told(piece), finish: calls ? 'tool_calls' : piece.finish };
  }

  #told(piece: TextPiece | undefined): TokenLogprobEntry[] {
    return piece?.tokens.map((token) => chatLogprob(this.#tokenizer, token)) ?? [];
  }
}

/** Calls are told whole, each in one delta. */
function deltaOf({ text, calls }: ToolDelta): ChatDelta {
  const told = calls.map(({ index, id, name, arguments: written }) => ({
    index,
    id,
    type: 'function' as const,
    function: { name, arguments: written },
  }));
  return { ...(text === '' ? {} : { content: text }), ...(told.length === 0 ? {} : { tool_calls: told }) };
}
