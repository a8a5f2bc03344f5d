/**
 * Which tokens a text that is shown belongs to. Text may come later than its token (whole characters, beginnings of stop
 * strings) or never (a stop string), and tokens are told with their text, not before.
 */
import type { GeneratedToken } from '../../generate/index.ts';
import type { Tokenizer } from '../../text/index.ts';

export interface TrackedToken extends GeneratedToken {
  /** Where its text begins in the answer, in characters. */
  readonly offset: number;
}

export class TokenTrack {
  readonly #decoder: ReturnType<Tokenizer['decoder']>;
  readonly #held: TrackedToken[] = [];
  #decoded = 0;
  #shown = 0;

  /** @param ids the prompt: behind a control token a text begins, as in `generate`. */
  constructor(tokenizer: Tokenizer, ids: Int32Array) {
    this.#decoder = tokenizer.decoder({ start: tokenizer.isControl(ids[ids.length - 1]) });
  }

  /** A token and the text that is shown with it; the tokens whose text has begun. */
  push(token: GeneratedToken): readonly TrackedToken[] {
    this.#held.push({ ...token, offset: this.#decoded });
    this.#decoded += this.#decoder.push(token.id).length;
    return this.#show(token.text);
  }

  /** The rest. @param stopped what is still held may belong to a stop string; it does not otherwise. */
  end(text: string, stopped: boolean): readonly TrackedToken[] {
    const shown = this.#show(text);
    return stopped ? shown : [...shown, ...this.#held.splice(0)];
  }

  #show(text: string): readonly TrackedToken[] {
    this.#shown += text.length;
    const until = this.#held.findIndex(({ offset }) => offset >= this.#shown);
    return this.#held.splice(0, until < 0 ? this.#held.length : until);
  }
}
