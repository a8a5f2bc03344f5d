/** One answer as text: tokens in, pieces out, each with the tokens that its text belongs to. */
import type { AnswerEnd, FinishReason, GeneratedToken } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';
import { wasCut } from '../safety.ts';
import { TokenTrack, type TrackedToken } from './token-track.ts';

/** What became known with a token. */
export interface TextPiece {
  readonly text: string;
  /** Where tokens are told. */
  readonly tokens: readonly TrackedToken[];
  /** With the last one. An answer that fills the context ends as one that has as many tokens as it may. */
  readonly finish: 'stop' | 'length' | 'content_filter' | null;
}

const FINISH = {
  stop: 'stop',
  length: 'length',
  context: 'length',
  aborted: 'stop',
} as const satisfies Record<FinishReason, TextPiece['finish']>;

export class TextChoice {
  readonly #track: TokenTrack | undefined;

  /** @param ids the prompt. @param tells whether tokens are told. */
  constructor(tokenizer: Tokenizer, ids: Int32Array, tells: boolean) {
    this.#track = tells ? new TokenTrack(tokenizer, ids) : undefined;
  }

  /** Undefined: nothing became known. */
  token(token: GeneratedToken): TextPiece | undefined {
    const tokens = this.#track?.push(token) ?? [];
    const { text } = token;
    return text === '' && tokens.length === 0 ? undefined : { text, tokens, finish: null };
  }

  end(end: AnswerEnd): TextPiece {
    const { text, reason } = end;
    const finish = wasCut(end) ? 'content_filter' : FINISH[reason];
    return { text, tokens: this.#track?.end(text, reason === 'stop') ?? [], finish };
  }
}
