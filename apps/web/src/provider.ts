/**
 * Where answers come from: a server that speaks OpenAI's API, or a model in this browser. Everything else in the page
 * knows only this.
 */

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What can be set; names and meanings are those of the API. What is left out is the provider's. */
export interface Parameters {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly presence_penalty?: number;
  readonly frequency_penalty?: number;
  readonly max_tokens?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  readonly parameters: Parameters;
  /** Ask for the tokens and their log-probabilities, so many of the likeliest each; for comparisons. */
  readonly logprobs?: number;
  readonly signal: AbortSignal;
}

export interface AnswerToken {
  readonly token: string;
  readonly logprob: number;
  readonly top: readonly { readonly token: string; readonly logprob: number }[];
}

/** Pieces of an answer, in order. */
export interface Delta {
  readonly text: string;
  /** Where the request asks for them. */
  readonly tokens?: readonly AnswerToken[];
}

export interface AnswerEnd {
  readonly reason: 'stop' | 'length' | 'aborted';
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface ModelInfo {
  readonly id: string;
  /** `Q4_K_M`, where it is known. */
  readonly fileType?: string;
  readonly contextSize?: number;
  /** Of its file. */
  readonly bytes?: number;
}

/** A text that a model is asked about as if it had written it. */
export interface ScoreRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  /** The answer that somebody else gave. */
  readonly answer: string;
  /** Alternatives that are told of each token. */
  readonly top: number;
  readonly signal: AbortSignal;
}

export interface Provider {
  readonly name: string;
  models(signal?: AbortSignal): Promise<readonly ModelInfo[]>;
  /** @throws ProviderError */
  chat(request: ChatRequest): AsyncGenerator<Delta, AnswerEnd>;
  /** Vectors of unit length, for retrieval. @throws ProviderError */
  embed(model: string, texts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]>;
  /**
   * What the model thinks of each token of an answer that it is given, knowing all before it. Not every provider can.
   * @throws ProviderError
   */
  readonly score?: (request: ScoreRequest) => Promise<readonly AnswerToken[]>;
}

/** What a failure says beyond its sentence, where it says it. */
export interface FailureDetail {
  /** HTTP status. */
  readonly status?: number;
  /** OpenAI's word for it: `context_length_exceeded`. */
  readonly code?: string;
  /** Seconds until it is worth to try again. */
  readonly retryAfter?: number;
}

/** A failure that is shown to the person in front of the page, in one sentence. */
export class ProviderError extends Error {
  readonly detail: FailureDetail;

  /** @param detail or, in short, the HTTP status alone. */
  constructor(message: string, detail: FailureDetail | number = {}) {
    super(message);
    this.name = 'ProviderError';
    this.detail = typeof detail === 'number' ? { status: detail } : detail;
  }

  /** HTTP status, where there was one. */
  get status(): number | undefined {
    return this.detail.status;
  }
}
