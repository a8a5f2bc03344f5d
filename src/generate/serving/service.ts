/**
 * A model that answers many at once. Requests wait in a fair queue for one of its sequences; what all of them feed goes
 * through the model together. The server, and a pipeline with several prompts, are made on it.
 */
import type { ChatTemplate, Tokenizer } from '../../text/index.ts';
import type { AnswerEnd, AnswerOptions } from '../conversation.ts';
import type { GeneratedToken } from '../generation.ts';
import type { TokenLogprob } from '../logprobs.ts';

/** What a waiting request is told. */
export interface RequestOptions extends AnswerOptions {
  /** Whom the request is for: the queue takes turns between clients. Default: one for all. */
  readonly client?: string;
}

/** The same of requests that generate nothing. */
export type PassOptions = Pick<RequestOptions, 'client' | 'signal'>;

/** How likely the model finds a token behind those before it, and the likeliest in its place, likeliest first. */
export interface ScoredToken extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

/** How hidden states become one vector: their mean, or the last one. */
export const POOLINGS = ['mean', 'last'] as const;
export type Pooling = (typeof POOLINGS)[number];

export interface ServiceStats {
  readonly slots: number;
  /** Slots that answer now. */
  readonly active: number;
  /** Requests that wait. */
  readonly waiting: number;
  /** Since the start: tokens of prompts that were computed, that were held already, and tokens generated. */
  readonly promptTokens: number;
  readonly reusedTokens: number;
  readonly generatedTokens: number;
  /** Runs of the model, and tokens in them: their ratio is the mean batch. */
  readonly runs: number;
  readonly runTokens: number;
}

export interface ModelService {
  readonly tokenizer: Tokenizer;
  /** Undefined: the file has none, so there is no chat. */
  readonly template: ChatTemplate | undefined;
  /** Positions of a sequence at most. */
  readonly contextSize: number;
  /** Width E of an embedding. */
  readonly width: number;
  /**
   * Goes on after a prompt; takes its place in the queue when the first token is asked for. Leaving the generator early
   * (`return`, also while a token is waited for), or the signal, gives the slot back; its end is `aborted` then.
   * @throws with the first token. Usage error: an option out of range, an empty prompt; resources error: the prompt does
   * not fit, or the service is about to close; `BusyError`: the queue is full.
   */
  answer(ids: Int32Array, options?: RequestOptions): AsyncGenerator<GeneratedToken, AnswerEnd>;
  /**
   * One vector f32 [E]. Default pooling: mean. Of unit length, unless `normalize` is false.
   * @throws as `answer`; the signal's reason.
   */
  embed(
    ids: Int32Array,
    options?: PassOptions & { readonly pooling?: Pooling; readonly normalize?: boolean },
  ): Promise<Float32Array>;
  /**
   * How likely each token of a text is behind those before it; the first has nothing before it, so there is one fewer.
   * @param options `top`: so many of the likeliest in each place. Default: none.
   * @throws as `embed`.
   */
  score(ids: Int32Array, options?: PassOptions & { readonly top?: number }): Promise<readonly ScoredToken[]>;
  stats(): ServiceStats;
  /** Takes no more requests; resolves when those that were taken are done. */
  drain(): Promise<void>;
  /** Ends at once what is still going on, and frees the sequences. */
  close(): Promise<void>;
}
