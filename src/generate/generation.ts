/** Token after token: a session goes on with what a sampler picks, until something ends it. */
import { BitmillError } from '../core/index.ts';
import { logprobsOf, type TokenLogprob } from './logprobs.ts';
import type { Constraint } from './sampling/constraint.ts';
import type { PieceTokenizer } from './sampling/dry.ts';
import type { SamplingOptions } from './sampling/options.ts';
import { Sampler } from './sampling/sampler.ts';
import type { Session } from './session.ts';
import { StopText } from './stop-text.ts';

/** What is needed of a tokenizer; `text` has them. */
export interface GenerationTokenizer extends PieceTokenizer {
  isEndOfGeneration(id: number): boolean;
  isControl(id: number): boolean;
  decoder(options?: { readonly start?: boolean }): { push(id: number): string; flush(): string };
}

export interface GenerationOptions extends Partial<SamplingOptions> {
  /** Tokens at most. Default: until the context is full. */
  readonly maxTokens?: number;
  /** Texts that end the generation; they are left out. */
  readonly stop?: readonly string[];
  /** Tokens that end it, beside those that the vocabulary names. */
  readonly stopTokens?: readonly number[];
  /** Tokens of the prompt that the session holds already: they count for penalties as those that are fed. */
  readonly held?: Int32Array;
  readonly signal?: AbortSignal;
  /**
   * Log-probabilities are told: of each token, and of so many of the likeliest in its place. Default: none are. They are
   * the model's own, before bias, penalties and grammar bend its logits.
   */
  readonly logprobs?: number;
  /** Says which tokens may come; a new one for each generation, because it goes along. See `TokenGrammar`. */
  readonly constraint?: Constraint;
}

/** What is needed of a session. */
export type GrowingSession = Pick<Session, 'position' | 'contextSize' | 'feed'>;

/** Why a generation ended. `length`: as many tokens as were asked for; `context`: no position is left. */
export type FinishReason = 'stop' | 'length' | 'context' | 'aborted';

/** A token, and the text that became certain with it: whole characters, often none. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
  /** Where `logprobs` asks for it: ln p over the whole vocabulary. */
  readonly logprob?: number;
  /** Of the likeliest tokens in its place, the likeliest first. */
  readonly top?: readonly TokenLogprob[];
}

export interface GenerationEnd {
  readonly reason: FinishReason;
  /** Tokens generated; one that ended the generation is not among them. */
  readonly tokens: number;
  /** The stop string or token that ended it does not belong to the text. What was held back of the text before does. */
  readonly text: string;
}

/** What ends a generation before another token is picked. */
function endAfter(
  session: GrowingSession,
  tokens: number,
  options: GenerationOptions,
): FinishReason | undefined {
  if (options.signal?.aborted) return 'aborted';
  if (tokens >= (options.maxTokens ?? Number.POSITIVE_INFINITY)) return 'length';
  return tokens > 0 && session.position >= session.contextSize ? 'context' : undefined;
}

/**
 * Generates after a prompt. The session may hold a beginning already (`rewind` first where it is another's).
 * @param prompt ids that are fed first; at least one.
 * @throws usage error: an empty prompt, a sampling option out of range; resources error: the prompt does not fit.
 */
export async function* generate(
  session: GrowingSession,
  tokenizer: GenerationTokenizer,
  prompt: Int32Array,
  options: GenerationOptions = {},
): AsyncGenerator<GeneratedToken, GenerationEnd> {
  if (prompt.length === 0)
    throw new BitmillError('usage', 'the prompt has no token: there is nothing to go on from');
  const sampler = new Sampler(options, tokenizer);
  if (options.held) sampler.prompt(options.held);
  sampler.prompt(prompt);
  // Behind a control token a text begins, and with it the space that some vocabularies put in front; else one goes on.
  const decoder = tokenizer.decoder({ start: tokenizer.isControl(prompt[prompt.length - 1]) });
  const stops = new StopText(options.stop ?? []);
  const stopTokens = new Set(options.stopTokens);
  let next = prompt;
  for (let tokens = 0; ; ) {
    const reason = options.constraint?.isOver ? 'stop' : endAfter(session, tokens, options);
    if (reason) return { reason, tokens, text: rest(decoder, stops) };
    const logits = await session.feed(next);
    const id = sampler.next(logits, options.constraint);
    if (tokenizer.isEndOfGeneration(id) || stopTokens.has(id)) {
      return { reason: 'stop', tokens, text: rest(decoder, stops) };
    }
    options.constraint?.accept(id);
    const { text, stopped } = stops.push(decoder.push(id));
    const { logprobs } = options;
    yield { id, text, ...(logprobs === undefined ? {} : logprobsOf(logits, id, logprobs)) };
    tokens++;
    if (stopped) return { reason: 'stop', tokens, text: '' };
    next = Int32Array.of(id);
  }
}

/** What decoder and stop strings still hold when no more tokens come. */
function rest(decoder: { flush(): string }, stops: StopText): string {
  const { text, stopped } = stops.push(decoder.flush());
  return stopped ? text : text + stops.flush();
}
