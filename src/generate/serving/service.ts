/**
 * A model that answers many at once. Requests wait in a fair queue for one of its sequences; what all of them feed goes
 * through the model together. The server, and a pipeline with several prompts, are made on it.
 */
import type { ChatTemplate, Tokenizer } from '../../text/index.ts';
import type { AnswerEnd, AnswerOptions } from '../conversation.ts';
import type { GeneratedToken } from '../generation.ts';

/** What a waiting request is told. */
export interface RequestOptions extends AnswerOptions {
  /** Whom the request is for: the queue takes turns between clients. Default: one for all. */
  readonly client?: string;
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
   * Goes on after a prompt. Leaving the generator early, or the signal, gives the slot back.
   * @throws usage error: an option out of range; resources error: the prompt does not fit; `BusyError`: the queue is full.
   */
  answer(ids: Int32Array, options?: RequestOptions): AsyncGenerator<GeneratedToken, AnswerEnd>;
  /** One vector f32 [E] of unit length. @throws as `answer`. */
  embed(
    ids: Int32Array,
    options?: { readonly pooling?: Pooling; readonly signal?: AbortSignal; readonly client?: string },
  ): Promise<Float32Array>;
  stats(): ServiceStats;
  /** Takes no more requests; resolves when those that were taken are done. */
  drain(): Promise<void>;
  /** Ends at once what is still going on, and frees the sequences. */
  close(): Promise<void>;
}
