/** Streamers: what hears an answer token by token, in transformers.js's shape. */

import { usageError, withoutControls } from '../../core/index.ts';
import type { StreamingDecoder, Tokenizer } from '../../text/index.ts';
import { checkNames } from './names.ts';

/**
 * Anything with these two may be an option `streamer`. `put` gets the prompt first, then each token, as a batch of one;
 * ids are bigint, as in transformers.js.
 */
export interface Streamer {
  /** @param text what became certain with these tokens; not given with the prompt. */
  put(value: bigint[][], text?: string): void;
  /** The answer is over. @param text what had been held back of it. */
  end(text?: string): void;
}

export interface TextStreamerOptions {
  /** Do not tell of the prompt. Default false. */
  readonly skip_prompt?: boolean;
  /** Leave control tokens out. Default true. With false, a stop string that came whole is told, too. */
  readonly skip_special_tokens?: boolean;
  /** Hears text as it becomes certain: whole characters, never taken back. Default: it is printed. */
  readonly callback_function?: ((text: string) => void) | null;
  /** Hears the ids. */
  readonly token_callback_function?: ((ids: bigint[]) => void) | null;
}

const OPTIONS = {
  skip_prompt: true,
  skip_special_tokens: true,
  callback_function: true,
  token_callback_function: true,
} as const satisfies Record<keyof TextStreamerOptions, true>;

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Where there is a standard output, text goes there as it is (to a terminal without control characters). */
function printer(): (text: string) => void {
  const { process } = globalThis as { readonly process?: { readonly stdout?: Output } };
  const output = process?.stdout;
  if (output === undefined) return (text) => console.log(text);
  return (text) => void output.write(output.isTTY ? withoutControls(text) : text);
}

/** Prints an answer as it comes, or hands it to a function. */
export class TextStreamer implements Streamer {
  readonly tokenizer: Tokenizer;
  readonly #skipPrompt: boolean;
  readonly #skipSpecial: boolean;
  readonly #say: (text: string) => void;
  readonly #onTokens: ((ids: bigint[]) => void) | null;
  /** Of what is printed, the last line is ended. */
  readonly #prints: boolean;
  #atPrompt = true;
  #decoder: StreamingDecoder;

  /** @throws usage error: an option that is none. */
  constructor(tokenizer: Tokenizer, options: TextStreamerOptions = {}) {
    checkNames(options, Object.keys(OPTIONS), 'option of TextStreamer');
    const { skip_prompt = false, skip_special_tokens = true } = options;
    this.tokenizer = tokenizer;
    this.#skipPrompt = skip_prompt;
    this.#skipSpecial = skip_special_tokens;
    this.#prints = !options.callback_function;
    this.#say = options.callback_function ?? printer();
    this.#onTokens = options.token_callback_function ?? null;
    this.#decoder = this.#fresh(true);
  }

  put(value: bigint[][], text?: string): void {
    if (value.length !== 1) throw usageError(`TextStreamer: ${value.length} answers at once; one is allowed`);
    const [ids] = value;
    if (this.#atPrompt) this.#prompt(ids);
    else this.#answer(ids, text);
  }

  end(text?: string): void {
    this.#tell(text !== undefined && this.#skipSpecial ? text : this.#decoder.flush());
    if (this.#prints) this.#say('\n');
    this.#atPrompt = true;
    this.#decoder = this.#fresh(true);
  }

  #prompt(ids: bigint[]): void {
    this.#atPrompt = false;
    if (!this.#skipPrompt) {
      this.#answer(ids);
      this.#tell(this.#decoder.flush());
    }
    this.#beginAnswer(ids);
  }

  #answer(ids: bigint[], text?: string): void {
    if (ids.length > 0) this.#onTokens?.(ids);
    if (text !== undefined && this.#skipSpecial) this.#tell(text);
    else this.#tell(ids.map((id) => this.#decoder.push(Number(id))).join(''));
  }

  /** Behind a control token a text begins, as in `generate`. */
  #beginAnswer(prompt: readonly bigint[]): void {
    const last = prompt.at(-1);
    this.#decoder = this.#fresh(last !== undefined && this.tokenizer.isControl(Number(last)));
  }

  #fresh(start: boolean): StreamingDecoder {
    return this.tokenizer.decoder({ special: !this.#skipSpecial, start });
  }

  #tell(text: string): void {
    if (text !== '') this.#say(text);
  }
}
