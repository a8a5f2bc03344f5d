/** A chat with a model: messages in, tokens out. Of each turn only what the session does not hold already is fed. */
import type { ChatMessage, ChatTemplate, Tokenizer } from '../text/index.ts';
import { type GeneratedToken, type GenerationEnd, type GenerationOptions, generate } from './generation.ts';
import { type FittedChat, fitChat, type OverflowPolicy } from './overflow.ts';
import { PrefixSession, type Sequence } from './prefix.ts';

/** Tokens of a prompt between looks at the abort signal: many enough for speed, few enough for a slow machine. */
const PROMPT_STEP = 128;

export interface AnswerOptions extends Omit<GenerationOptions, 'held'> {
  /** Hears how many tokens of the prompt are done, of those that are not held already; is waited for. */
  readonly onPrompt?: (done: number, total: number) => void | Promise<void>;
}

export interface AnswerEnd extends GenerationEnd {
  /** Tokens of the prompt, and how many of them the session held already. */
  readonly promptTokens: number;
  readonly reusedTokens: number;
}

export class Conversation {
  readonly #session: PrefixSession;
  readonly #tokenizer: Tokenizer;
  readonly #template: ChatTemplate;

  /** @param session is the conversation's from now on. */
  constructor(session: Sequence, tokenizer: Tokenizer, template: ChatTemplate) {
    this.#session = new PrefixSession(session);
    this.#tokenizer = tokenizer;
    this.#template = template;
  }

  get contextSize(): number {
    return this.#session.contextSize;
  }

  /** Positions that the session holds. */
  get position(): number {
    return this.#session.position;
  }

  /**
   * The prompt for an answer to `messages`.
   * @throws input error: the template refuses them; resources error: they do not fit, and the policy does not help.
   */
  prompt(messages: readonly ChatMessage[], policy: OverflowPolicy = 'error', maxTokens?: number): FittedChat {
    const encode = (some: readonly ChatMessage[]) => this.#template.encode(some, { generationPrompt: true });
    return fitChat(messages, encode, { policy, contextSize: this.contextSize, maxTokens });
  }

  /** Answers to the ids of a prompt; any ids, whatever was answered before. As `generate` otherwise. */
  async *answer(ids: Int32Array, options: AnswerOptions = {}): AsyncGenerator<GeneratedToken, AnswerEnd> {
    const { onPrompt, ...rest } = options;
    const reusedTokens = this.#session.reuse(ids);
    const counts = { promptTokens: ids.length, reusedTokens };
    let at = reusedTokens;
    for (; ids.length - at > PROMPT_STEP; at += PROMPT_STEP) {
      await onPrompt?.(at - reusedTokens, ids.length - reusedTokens);
      if (options.signal?.aborted) return { reason: 'aborted', tokens: 0, text: '', ...counts };
      await this.#session.feed(ids.slice(at, at + PROMPT_STEP));
    }
    const generation = { ...rest, held: ids.subarray(0, at) };
    const end = yield* generate(this.#session, this.#tokenizer, ids.slice(at), generation);
    return { ...end, ...counts };
  }
}
