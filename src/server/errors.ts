/** Failures as OpenAI's API tells them: `{error: {message, type, param, code}}` under a status that clients act on. */
import { BitmillError } from '../core/index.ts';
import { BusyError } from '../generate/index.ts';

/** A client that has gone away; nginx's number, seen in logs only. */
const CLIENT_CLOSED = 499;

/** The code that clients look for. */
export const CONTEXT_EXCEEDED = 'context_length_exceeded';

/** By status: what OpenAI's API calls the kind of failure. */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  408: 'timeout_error',
  429: 'rate_limit_error',
  499: 'aborted',
};

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

export interface ApiErrorOptions {
  /** The field at fault: `messages[0].content`. */
  readonly param?: string | undefined;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A failure with its status; middlewares may throw it, too. */
export class ApiError extends Error {
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ApiError';
    this.status = status;
    this.param = options.param ?? null;
    this.code = options.code ?? null;
    this.headers = options.headers ?? {};
  }

  get type(): string {
    return TYPES[this.status] ?? (this.status >= 500 ? 'server_error' : 'invalid_request_error');
  }

  /** Whether the asker can do nothing about it. */
  get isFault(): boolean {
    return this.status === 500;
  }

  body(): ErrorBody {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }

  response(): Response {
    return Response.json(this.body(), { status: this.status, headers: this.headers });
  }
}

/** A field of the request that is not as it has to be: 400. */
export function invalid(param: string, message: string, code?: string): ApiError {
  return new ApiError(400, `${param}: ${message}`, code === undefined ? { param } : { param, code });
}

/** The asker has gone, or was sent away: an `ApiError` as the signal's reason says which. */
export function abortError(signal: AbortSignal): ApiError {
  return signal.reason instanceof ApiError
    ? signal.reason
    : new ApiError(CLIENT_CLOSED, 'the request was aborted', { code: 'aborted' });
}

/** The prompt is longer than the context. */
export function contextError(param: string, tokens: number, contextSize: number): ApiError {
  return invalid(param, `${tokens} tokens; the context of this model holds ${contextSize}`, CONTEXT_EXCEEDED);
}

function busy(error: BusyError): ApiError {
  return new ApiError(429, `${error.message}; ${error.hint}`, {
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfter))) },
    cause: error,
  });
}

/** Message and advice in one line. */
function sentence({ message, hint }: BitmillError): string {
  return hint === undefined ? message : `${message} (${hint})`;
}

/** What is thrown below, as the API tells it. Of faults of ours nothing is told. */
export function apiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof BusyError) return busy(error);
  if (error instanceof BitmillError && (error.kind === 'usage' || error.kind === 'input')) {
    return new ApiError(400, sentence(error), { cause: error });
  }
  if (error instanceof BitmillError && error.kind === 'resources') {
    return new ApiError(503, sentence(error), { code: 'overloaded', cause: error });
  }
  return new ApiError(500, 'the server failed to answer this request', {
    code: 'internal_error',
    cause: error,
  });
}
