/** What goes over the wire, as far as the page reads it. Servers leave things out: nothing is taken for granted. */
import { type AnswerToken, type ChatRequest, type ModelInfo, ProviderError } from '../provider.ts';

interface WireLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes?: readonly number[] | null;
  readonly top_logprobs?: readonly WireLogprob[];
}

/** One event of a streamed answer. */
export interface WireChunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly logprobs?: { readonly content?: readonly WireLogprob[] | null } | null;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: WireError | string;
}

export interface WireError {
  readonly message?: string;
  readonly type?: string;
  readonly code?: string | number | null;
}

export interface WireModels {
  readonly data?: readonly {
    readonly id: string;
    readonly file_type?: string;
    readonly context_size?: number;
    /** Bytes of the file. */
    readonly size?: number;
  }[];
}

export interface WireEmbeddings {
  readonly data?: readonly { readonly index: number; readonly embedding: readonly number[] }[];
}

/** The body of `POST /chat/completions`. */
export function chatBody({ model, messages, parameters, logprobs }: ChatRequest): Record<string, unknown> {
  return {
    model,
    messages,
    ...parameters,
    stream: true,
    stream_options: { include_usage: true },
    ...(logprobs === undefined ? {} : { logprobs: true, top_logprobs: logprobs }),
  };
}

/** A token that is part of a character has no text of its own: its bytes are shown. */
function tokenText({ token, bytes }: WireLogprob): string {
  if (!token.includes('\ufffd') || !bytes) return token;
  return bytes.map((byte) => `<${byte.toString(16).toUpperCase().padStart(2, '0')}>`).join('');
}

export function tokensOf(list: readonly WireLogprob[]): AnswerToken[] {
  return list.map((one) => ({
    token: tokenText(one),
    logprob: one.logprob,
    top: (one.top_logprobs ?? []).map((other) => ({ token: tokenText(other), logprob: other.logprob })),
  }));
}

export function modelsOf({ data = [] }: WireModels): ModelInfo[] {
  return data.map(({ id, file_type, context_size, size }) => ({
    id,
    ...(file_type === undefined ? {} : { fileType: file_type }),
    ...(context_size === undefined ? {} : { contextSize: context_size }),
    ...(size === undefined ? {} : { bytes: size }),
  }));
}

/**
 * Vectors of unit length in the order of the texts.
 * @throws ProviderError: not one vector for each text.
 */
export function vectorsOf({ data = [] }: WireEmbeddings, texts: number): Float32Array[] {
  const vectors = new Array<Float32Array | undefined>(texts).fill(undefined);
  for (const { index, embedding } of data) vectors[index] = unit(Float32Array.from(embedding));
  const whole = vectors.filter((vector) => vector !== undefined);
  if (whole.length !== texts) {
    throw new ProviderError(`The server sent ${whole.length} embeddings for ${texts} texts.`);
  }
  return whole;
}

/** A vector over its length; one of zeros stays. */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return length > 0 ? vector.map((x) => x / length) : vector;
}
