/// <reference lib="esnext.disposable" preserve="true" />
/**
 * What goes into a pipeline and what comes out, in the shapes of transformers.js, so that code written for it runs here:
 * names with underscores, `generated_text`, a list of answers for each prompt.
 */
import type { Tokenizer } from '../../text/index.ts';
import type { FinishReason } from '../generation.ts';
import type { TokenLogprob } from '../logprobs.ts';
import type { OverflowPolicy } from '../overflow.ts';
import type { Pooling } from '../serving/index.ts';
import type { ResponseFormat } from './response-format.ts';
import type { Streamer } from './streamer.ts';

/** A turn of a chat. Further fields (`tool_calls`, …) go to the model's template as they are. */
export interface Message {
  readonly role: string;
  readonly content: string;
  readonly [name: string]: unknown;
}

export type Chat = readonly Message[];

/** Options of a text generation. `undefined` and `null` are as if left out; unknown names are an error. */
export interface TextGenerationOptions {
  /** Tokens of an answer at most; default 256. */
  readonly max_new_tokens?: number | null | undefined;
  /** Tokens of prompt and answer together at most; does nothing beside `max_new_tokens`. */
  readonly max_length?: number | null | undefined;
  /** Draw tokens by chance. Default false: always the likeliest token, and the five options that follow do nothing. */
  readonly do_sample?: boolean | null | undefined;
  /** Divides the logits; 0 is greedy. Default 1. */
  readonly temperature?: number | null | undefined;
  /** Only so many of the likeliest tokens; 0: all. Default 50. */
  readonly top_k?: number | null | undefined;
  /** Only the fewest likeliest tokens that have this share of the probability together. Default 1: all. */
  readonly top_p?: number | null | undefined;
  /** Only tokens at least this many times as likely as the likeliest. Default 0: all. */
  readonly min_p?: number | null | undefined;
  /** Only the least surprising tokens with this share together. Default 1: all. */
  readonly typical_p?: number | null | undefined;
  /** Divides the logits of tokens that were seen, prompt included. Default 1. */
  readonly repetition_penalty?: number | null | undefined;
  /** Taken from the logits of tokens that were generated before. Default 0. */
  readonly presence_penalty?: number | null | undefined;
  /** The same, times how often. Default 0. */
  readonly frequency_penalty?: number | null | undefined;
  /** Of the random numbers: the same seed gives the same answer. Default: another one every time. */
  readonly seed?: number | null | undefined;
  /** Texts that end an answer; they are not part of it. */
  readonly stop?: string | readonly string[] | null | undefined;
  /** The same under transformers' name. */
  readonly stop_strings?: string | readonly string[] | null | undefined;
  /** Tokens that end an answer, beside those that the model's vocabulary names. */
  readonly stop_token_ids?: readonly number[] | null | undefined;
  /** The same under transformers' name. */
  readonly eos_token_id?: number | readonly number[] | null | undefined;
  /** Tokens that never come. */
  readonly suppress_tokens?: readonly number[] | null | undefined;
  /** Added to the logits of single tokens, by id. */
  readonly logit_bias?: Readonly<Record<string, number>> | ReadonlyMap<number, number> | null | undefined;
  /** Streams tell how likely the model found each token. Default false. */
  readonly logprobs?: boolean | null | undefined;
  /** And so many of the likeliest in its place, 20 at most. Default 0. */
  readonly top_logprobs?: number | null | undefined;
  /** Answers to each prompt; more than one needs `do_sample`. Default 1. */
  readonly num_return_sequences?: number | null | undefined;
  /**
   * Whether the prompt is part of what comes back: of a text its characters, of a chat its messages with the answer as
   * one more. False: only the answer's text, for chats, too (as in Python's transformers; transformers.js ignores it
   * there). Default true.
   */
  readonly return_full_text?: boolean | null | undefined;
  /** Hears prompt and tokens as they come; one prompt at a time. */
  readonly streamer?: Streamer | null | undefined;
  /** Ends the answers where they are; what there is of them is returned, and nothing is thrown. */
  readonly signal?: AbortSignal | null | undefined;
  /** What an answer must look like: `{ type: 'json_object' }`, or a JSON schema. As in OpenAI's API. */
  readonly response_format?: ResponseFormat | null | undefined;
  /** Of a text: BOS and EOS where the vocabulary wants them. Default true. Templates of chats write their own. */
  readonly add_special_tokens?: boolean | null | undefined;
  /**
   * Of a text: read control tokens (`<|user|>`) as characters. Default true, so that text from outside cannot pose as
   * the system; false for a prompt that holds a rendered template (transformers' default).
   */
  readonly split_special_tokens?: boolean | null | undefined;
  /** What happens to a chat longer than the context. Default `error`. */
  readonly on_overflow?: OverflowPolicy | null | undefined;
  /** For templates that know them. */
  readonly tools?: readonly unknown[] | null | undefined;
  readonly documents?: readonly unknown[] | null | undefined;
  /** Further variables of the template, such as `enable_thinking`. */
  readonly tokenizer_encode_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
  /** A Jinja template in the place of the model's. */
  readonly chat_template?: string | null | undefined;
}

export interface GeneratedText {
  generated_text: string;
}
export interface GeneratedChat {
  /** The messages that were given, and the answer (role `assistant`). */
  generated_text: Message[];
}

/** Answers to one prompt: as many as `num_return_sequences` asks for. */
export type TextGenerationStringOutput = GeneratedText[];
export type TextGenerationChatOutput = GeneratedChat[];

export type TextGenerationInput = string | Chat | readonly string[] | readonly Chat[];
export type TextGenerationOutput =
  | TextGenerationStringOutput
  | TextGenerationChatOutput
  | TextGenerationStringOutput[]
  | TextGenerationChatOutput[];

/** Options with which a chat gives plain text. */
type AnswerOnly = TextGenerationOptions & { readonly return_full_text: false };
/** Options with which it certainly gives messages. */
type WithMessages = TextGenerationOptions & { readonly return_full_text?: true | null | undefined };

/** A piece of an answer. */
export interface StreamedToken {
  /** What became certain with this token: whole characters, often none. */
  readonly text: string;
  /** Left out in a last piece that only brings text which was held back. */
  readonly id?: number;
  /** ln p of the token, with `logprobs`. */
  readonly logprob?: number;
  /** The likeliest tokens in its place, the likeliest first. */
  readonly top?: readonly TokenLogprob[];
}

/** What is known when an answer is over. */
export interface TextGenerationEnd {
  /** Only the answer. */
  readonly generated_text: string;
  readonly finish_reason: FinishReason;
  readonly usage: {
    readonly prompt_tokens: number;
    /** Of these, tokens that an earlier answer had computed already. */
    readonly cached_tokens: number;
    readonly completion_tokens: number;
  };
}

/** An answer as it comes. Leaving the loop early ends it. */
export interface TextGenerationStream extends AsyncGenerator<StreamedToken, TextGenerationEnd, undefined> {
  /** Resolves when the answer is over; a stream that nobody reads does not begin. */
  readonly result: Promise<TextGenerationEnd>;
}

/** Options of a stream; a stream has one answer. */
export type StreamOptions = Omit<
  TextGenerationOptions,
  'streamer' | 'num_return_sequences' | 'return_full_text'
>;

/** What all pipelines have. */
export interface PipelineBase {
  readonly tokenizer: Tokenizer;
  /** Ends what is going on, and frees the model; nothing works afterwards. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * `pipeline('text-generation', …)`. Texts are gone on from, chats are answered; batches are computed side by side.
 * @throws usage error: an option that is none (with the one that is near) or out of range; input error: a template that
 *   refuses the messages; resources error: a prompt longer than the context.
 */
export interface TextGenerationPipeline extends PipelineBase {
  readonly task: 'text-generation';
  (text: string, options?: TextGenerationOptions): Promise<TextGenerationStringOutput>;
  (texts: readonly string[], options?: TextGenerationOptions): Promise<TextGenerationStringOutput[]>;
  (messages: Chat, options: AnswerOnly): Promise<TextGenerationStringOutput>;
  (messages: Chat, options?: WithMessages): Promise<TextGenerationChatOutput>;
  (chats: readonly Chat[], options: AnswerOnly): Promise<TextGenerationStringOutput[]>;
  (chats: readonly Chat[], options?: WithMessages): Promise<TextGenerationChatOutput[]>;
  (input: TextGenerationInput, options?: TextGenerationOptions): Promise<TextGenerationOutput>;
  /** One answer, token by token: `for await (const { text } of generator.stream(messages))`. */
  stream(input: string | Chat, options?: StreamOptions): TextGenerationStream;
}

export interface FeatureExtractionOptions {
  /** How the states of all tokens become one vector. Default `mean`. */
  readonly pooling?: Pooling | null | undefined;
  /** Vectors of unit length. Default true. */
  readonly normalize?: boolean | null | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

/** Vectors, row by row. */
export interface FeatureTensor {
  readonly type: 'float32';
  /** Texts, and the width of a vector. */
  readonly dims: readonly [number, number];
  readonly data: Float32Array;
  tolist(): number[][];
}

/** `pipeline('feature-extraction', …)`: texts to vectors that are near where the texts mean the like. */
export interface FeatureExtractionPipeline extends PipelineBase {
  readonly task: 'feature-extraction';
  (texts: string | readonly string[], options?: FeatureExtractionOptions): Promise<FeatureTensor>;
}

/** What there is of tasks. */
export interface PipelineTasks {
  readonly 'text-generation': TextGenerationPipeline;
  readonly 'feature-extraction': FeatureExtractionPipeline;
}
export type PipelineTask = keyof PipelineTasks;
