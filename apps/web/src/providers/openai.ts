/** A server that speaks OpenAI's API as a provider: bitmill's own, or any other. */
import { type AnswerEnd, type ChatRequest, type Delta, type Provider, ProviderError } from '../provider.ts';
import { brokenOff, errorText, filtered, refusal, unreachable, unreadable } from './openai-errors.ts';
import { scoreAnswer } from './openai-score.ts';
import {
  chatBody,
  modelsOf,
  tokensOf,
  vectorsOf,
  type WireChunk,
  type WireEmbeddings,
  type WireModels,
} from './openai-wire.ts';
import { eventData } from './sse.ts';

export interface OpenAiOptions {
  /** `http://127.0.0.1:8080/v1` or `/v1` on the page's own server; without a path, `/v1` is meant. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly name?: string;
  /** Instead of the global one. */
  readonly fetch?: typeof fetch;
}

/** Requests of one server: its address, its key, its errors. */
export interface OpenAiServer {
  /** With `/v1`. */
  readonly baseUrl: string;
  /** @param path behind the base URL, or `../path` beside it. @throws ProviderError; AbortError. */
  json<T>(what: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** The body of an answer that streams. @throws as `json`. */
  stream(path: string, body: unknown, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** `host`, `host/` and `host/v1/` all mean `host/v1`. */
export function normalBaseUrl(baseUrl: string): string {
  const trimmed = baseUrl.trim().replace(/\/+$/, '');
  return /^([a-z]+:\/\/[^/]+)?$/i.test(trimmed) ? `${trimmed}/v1` : trimmed;
}

function openAiServer({ baseUrl, apiKey, fetch = globalThis.fetch }: OpenAiOptions): OpenAiServer {
  const base = normalBaseUrl(baseUrl);
  const address = (path: string) =>
    path.startsWith('../') ? `${base.slice(0, base.lastIndexOf('/'))}/${path.slice(3)}` : `${base}/${path}`;

  const send = async (path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> => {
    const init: RequestInit = {
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    };
    const response = await fetch(address(path), init).catch((error: unknown) => {
      throw signal?.aborted ? error : unreachable(base);
    });
    if (!response.ok) throw await refusal(response);
    return response;
  };

  return {
    baseUrl: base,
    json: async <T>(what: string, path: string, body?: unknown, signal?: AbortSignal) => {
      const response = await send(path, body, signal);
      return response.json().catch((error: unknown) => {
        throw signal?.aborted ? error : unreadable(what);
      }) as Promise<T>;
    },
    stream: async (path, body, signal) => {
      const response = await send(path, body, signal);
      if (!response.body) throw brokenOff();
      return response.body;
    },
  };
}

/** Texts that are embedded in one request: few, so that no server's limit is met. */
const EMBEDDED_AT_ONCE = 32;

export function openAiProvider(options: OpenAiOptions): Provider {
  const server = openAiServer(options);
  return {
    name: options.name ?? server.baseUrl,
    models: async (signal) =>
      modelsOf(await server.json<WireModels>('list of models', 'models', undefined, signal)),
    chat: (request) => chat(server, request),
    score: (request) => scoreAnswer(server, request),
    embed: async (model, texts, signal) => {
      const vectors: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += EMBEDDED_AT_ONCE) {
        const input = texts.slice(at, at + EMBEDDED_AT_ONCE);
        const body = { model, input, encoding_format: 'float' };
        const answer = await server.json<WireEmbeddings>('embeddings', 'embeddings', body, signal);
        vectors.push(...vectorsOf(answer, input.length));
      }
      return vectors;
    },
  };
}

/** How the API's reasons end an answer here. */
const REASONS: Readonly<Record<string, AnswerEnd['reason']>> = { length: 'length' };

/** What is known of an answer's end before it has come. */
interface Progress {
  finish: string | undefined;
  promptTokens: number;
  completionTokens: number;
}

async function* chat(server: OpenAiServer, request: ChatRequest): AsyncGenerator<Delta, AnswerEnd> {
  const progress: Progress = { finish: undefined, promptTokens: 0, completionTokens: 0 };
  const counts = () => ({
    promptTokens: progress.promptTokens,
    completionTokens: progress.completionTokens,
  });
  try {
    const body = await server.stream('chat/completions', chatBody(request), request.signal);
    yield* deltas(body, progress);
  } catch (error) {
    if (request.signal.aborted) return { reason: 'aborted', ...counts() };
    throw error instanceof ProviderError ? error : brokenOff();
  }
  if (request.signal.aborted) return { reason: 'aborted', ...counts() };
  if (progress.finish === undefined) throw brokenOff();
  if (progress.finish === 'content_filter') throw filtered();
  return { reason: REASONS[progress.finish] ?? 'stop', ...counts() };
}

async function* deltas(body: ReadableStream<Uint8Array>, progress: Progress): AsyncGenerator<Delta, void> {
  for await (const data of eventData(body)) {
    if (data === '[DONE]') return;
    const { choices, usage, error } = parseChunk(data);
    if (error) throw new ProviderError(`The answer broke off: ${errorText(error)}`);
    if (usage) {
      progress.promptTokens = usage.prompt_tokens;
      progress.completionTokens = usage.completion_tokens;
    }
    const choice = choices?.[0];
    if (!choice) continue;
    progress.finish = choice.finish_reason ?? progress.finish;
    const text = choice.delta?.content ?? '';
    const tokens = choice.logprobs?.content;
    if (!usage) progress.completionTokens += tokens?.length ?? (text ? 1 : 0);
    if (text || tokens?.length) yield { text, ...(tokens ? { tokens: tokensOf(tokens) } : {}) };
  }
}

function parseChunk(data: string): WireChunk {
  try {
    return JSON.parse(data) as WireChunk;
  } catch {
    throw unreadable('answer');
  }
}
