/**
 * Requests to a Hugging Face hub: the token goes to the hub's own origin only, passing faults are tried again (not
 * sooner than the hub asks), and every refusal becomes one error that says what to do.
 */
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BitmillError } from '../core/index.ts';
import { readSmallText } from './files.ts';

export interface HubSettings {
  /** Origin of the hub, without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Use the cache alone. */
  readonly offline: boolean;
  /** How often a passing fault (connection lost, 5xx, 429, silence) is tried again without progress. */
  readonly retries: number;
  /** Wait before the first retry; doubles each time. */
  readonly retryMs: number;
  /** Longest wait that a hub may ask for (Retry-After); who asks for more is believed, and the work ends. */
  readonly longestWaitMs: number;
  /** A transfer without a byte for so long counts as lost; so does a question not answered whole. */
  readonly stallMs: number;
}

/** What an answer said beside the message. */
interface HubErrorFacts {
  readonly hint?: string;
  readonly cause?: unknown;
  readonly passing?: boolean;
  readonly reached?: boolean;
  readonly status?: number;
  readonly code?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The hub cannot be reached, refuses, or answers nonsense (exit code 4). */
export class HubError extends BitmillError {
  /** Trying again may help. */
  readonly passing: boolean;
  /** There was an answer at all. */
  readonly reached: boolean;
  /** HTTP status of a refusal. */
  readonly status: number | undefined;
  /** The hub's own name of the refusal: `RepoNotFound`. */
  readonly code: string | undefined;
  /** The hub asks to wait so long before the next try. */
  readonly retryAfterMs: number;

  constructor(message: string, facts: HubErrorFacts = {}) {
    super('network', message, facts);
    this.name = 'HubError';
    this.passing = facts.passing ?? false;
    this.reached = facts.reached ?? true;
    this.status = facts.status;
    this.code = facts.code;
    this.retryAfterMs = facts.retryAfterMs ?? 0;
  }
}

/** What a refusal means to who asks, by status. */
export type Hints = Readonly<Record<number, string>>;

/** Statuses after which the same request may succeed. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Connection errors that no retry mends. */
const FINAL_CODES = new Set(['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT']);

const TRUE = /^(1|on|yes|true)$/i;

/** Settings from the environment, as huggingface_hub reads it: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE. */
export async function hubSettings(
  overrides: Partial<HubSettings> = {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<HubSettings> {
  const home =
    env['HF_HOME'] ?? path.join(env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'huggingface');
  const token = env['HF_TOKEN'] ?? (await readSmallText(env['HF_TOKEN_PATH'] ?? path.join(home, 'token')));
  return {
    endpoint: (env['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, ''),
    token: token?.trim() || undefined,
    offline: TRUE.test(env['HF_HUB_OFFLINE'] ?? ''),
    retries: 4,
    retryMs: 1000,
    // The hub counts requests in windows of five minutes.
    longestWaitMs: 300_000,
    stallMs: 60_000,
    ...overrides,
  };
}

/** What a refusal means to who reads. */
function readHints({ token }: HubSettings): Hints {
  const gated = token
    ? 'The repository is gated, private or misspelt: accept its terms on its page with the account of your token, and check that the token may read it.'
    : 'The repository is gated, private or misspelt: accept its terms on its page, then set HF_TOKEN to a token that may read it.';
  return {
    401: gated,
    403: gated,
    404: 'Check the spelling of the repository (owner/name) and the revision.',
  };
}

/** `Retry-After` in milliseconds: seconds, or a date. @returns undefined where there is none that can be read. */
function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after')?.trim();
  if (!text) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/** Longest answer to a refused request that is read for its reason, in bytes. */
const LONGEST_REASON = 16 * 1024;

/** Why the hub refuses, in its own words: a header, or `error` of a JSON body. */
async function reasonOf(response: Response): Promise<string> {
  const { headers, body, statusText } = response;
  const said = headers.get('x-error-message') ?? headers.get('x-error-code');
  const length = Number(headers.get('content-length') ?? Number.NaN);
  if (said || !headers.get('content-type')?.startsWith('application/json') || !(length <= LONGEST_REASON)) {
    await body?.cancel().catch(() => {});
    return said ?? statusText;
  }
  const json: unknown = await response.json().catch(() => undefined);
  const error = json && typeof json === 'object' && 'error' in json ? json.error : undefined;
  return typeof error === 'string' ? error.slice(0, 500) : statusText;
}

async function refusal(what: string, response: Response, settings: HubSettings, hints: Hints) {
  const { status, headers, url } = response;
  const said = await reasonOf(response);
  const message = `${what}: ${new URL(url).host} answers ${status}${said ? ` (${said})` : ''}`;
  const code = headers.get('x-error-code') ?? undefined;
  const retryAfterMs = retryAfter(headers);
  if (retryAfterMs !== undefined && retryAfterMs > settings.longestWaitMs) {
    const hint = `Run the same command again after that; what was done so far is kept.`;
    const seconds = Math.ceil(retryAfterMs / 1000);
    return new HubError(`${message} and asks to wait ${seconds} s`, { hint, status, code });
  }
  const passing = PASSING.has(status);
  const hint = hints[status];
  return new HubError(message, { ...(hint ? { hint } : {}), passing, status, code, retryAfterMs });
}

function unreachable(what: string, error: unknown): HubError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = cause instanceof Error ? cause.message || code : String(cause);
  return new HubError(`${what}: no connection to the hub: ${reason || code}`, {
    hint: 'Check the network and HF_ENDPOINT; what was done so far is kept, and the same command continues.',
    cause: error,
    passing: !FINAL_CODES.has(code),
    reached: false,
  });
}

/** One request. @throws HubError unless the answer is a success. */
export async function requestOnce(
  settings: HubSettings,
  what: string,
  url: string,
  init: RequestInit = {},
  hints: Hints = readHints(settings),
): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.delete('authorization');
  headers.set('accept-encoding', 'identity');
  if (settings.token && new URL(url).origin === new URL(settings.endpoint).origin) {
    headers.set('authorization', `Bearer ${settings.token}`);
  }
  let response: Response;
  try {
    response = await fetch(url, { ...init, headers });
  } catch (error) {
    throw unreachable(what, error);
  }
  if (response.ok) return response;
  throw await refusal(what, response, settings, hints);
}

export interface RetryOptions {
  /** Whether there was progress since the last call, which forgives the faults so far. */
  readonly progressed?: () => boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs `attempt` again after passing faults, with growing waits, and not before the hub asks to. */
export async function withRetries<T>(
  settings: HubSettings,
  attempt: () => Promise<T>,
  { progressed = () => false, signal }: RetryOptions = {},
): Promise<T> {
  for (let faults = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubError) || !error.passing || signal?.aborted) throw error;
      faults = progressed() ? 1 : faults + 1;
      if (faults > settings.retries) throw error;
      const wait = Math.max(settings.retryMs * 2 ** (faults - 1), error.retryAfterMs);
      await sleep(wait, undefined, signal ? { signal } : {});
    }
  }
}
