/**
 * What a Hugging Face hub says about a repository, and requests to it: the token goes to the hub's own origin
 * only, passing faults are tried again, and every refusal becomes one error that says what to do.
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
  /** A transfer without a byte for so long counts as lost; so does a question not answered whole. */
  readonly stallMs: number;
}

/** A file of a repository's revision. */
export interface HubFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content (large files), or git's SHA-1 of the blob; lower-case hex. */
  readonly oid: string;
  readonly checksum: 'sha256' | 'git-sha1';
}

export interface HubRevision {
  readonly commit: string;
  readonly files: ReadonlyMap<string, HubFile>;
}

/** The hub cannot be reached, refuses, or answers nonsense (exit code 4). */
export class HubError extends BitmillError {
  /** Trying again may help. */
  readonly passing: boolean;
  /** There was an answer at all. */
  readonly reached: boolean;

  constructor(
    message: string,
    options: { hint?: string; cause?: unknown; passing?: boolean; reached?: boolean } = {},
  ) {
    super('network', message, options);
    this.name = 'HubError';
    this.passing = options.passing ?? false;
    this.reached = options.reached ?? true;
  }
}

/** Statuses after which the same request may succeed. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Connection errors that no retry mends. */
const FINAL_CODES = new Set(['ECONNREFUSED', 'ENOTFOUND', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT']);

/** Most requests for one listing (1000 files each): a hub that never ends its list is cut off. */
const MAX_PAGES = 100;

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
    stallMs: 60_000,
    ...overrides,
  };
}

function refusal(what: string, response: Response, settings: HubSettings): HubError {
  const { status } = response;
  const code = response.headers.get('x-error-code');
  const said = response.headers.get('x-error-message') ?? code ?? response.statusText;
  const message = `${what}: ${new URL(response.url).host} answers ${status}${said ? ` (${said})` : ''}`;
  if (status === 401 || status === 403) {
    const hint = settings.token
      ? 'The repository is gated, private or misspelt: accept its terms on its page with the account of your token, and check that the token may read it.'
      : 'The repository is gated, private or misspelt: accept its terms on its page, then set HF_TOKEN to a token that may read it.';
    return new HubError(message, { hint });
  }
  if (status === 404) {
    return new HubError(message, {
      hint: 'Check the spelling of the repository (owner/name) and the revision.',
    });
  }
  return new HubError(message, { passing: PASSING.has(status) });
}

function unreachable(what: string, error: unknown): HubError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const reason = cause instanceof Error ? cause.message || code : String(cause);
  return new HubError(`${what}: no connection to the hub: ${reason || code}`, {
    hint: 'Check the network and HF_ENDPOINT; what was received so far is kept, and the same command continues.',
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
  await response.body?.cancel().catch(() => {});
  throw refusal(what, response, settings);
}

/** Runs `attempt` again after passing faults, with growing waits; `progressed` forgives the faults so far. */
export async function withRetries<T>(
  settings: HubSettings,
  attempt: () => Promise<T>,
  progressed: () => boolean = () => false,
): Promise<T> {
  for (let faults = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubError) || !error.passing) throw error;
      faults = progressed() ? 1 : faults + 1;
      if (faults > settings.retries) throw error;
      await sleep(settings.retryMs * 2 ** (faults - 1));
    }
  }
}

/** One entry of the hub's listing, checked; undefined for folders. */
function readEntry(
  what: string,
  entry: { type: string; path: string; size: number; oid?: string; lfs?: { oid: string; size: number } },
): HubFile | undefined {
  if (typeof entry.path !== 'string' || /[/\\\0]/.test(entry.path) || /^\.{0,2}$/.test(entry.path)) {
    throw new HubError(`${what}: the hub lists ${JSON.stringify(entry.path)}, which is not a file name`);
  }
  if (entry.type !== 'file') return undefined;
  const { size, oid } = entry.lfs ?? entry;
  const checksum = entry.lfs ? 'sha256' : 'git-sha1';
  const digits = checksum === 'sha256' ? 64 : 40;
  if (!Number.isSafeInteger(size) || size < 0 || typeof oid !== 'string' || !/^[0-9a-f]+$/.test(oid)) {
    throw new HubError(`${what}: the hub lists "${entry.path}" without a proper size and checksum`);
  }
  if (oid.length !== digits) {
    throw new HubError(
      `${what}: the hub lists "${entry.path}" with a checksum of ${oid.length} digits, not ${digits}`,
    );
  }
  return { name: entry.path, size, oid, checksum };
}

/**
 * The commit that a revision names and the files in the repository's top folder.
 * @param revision branch, tag or commit.
 * @throws HubError: not reachable, no such repository, gated, or an answer that makes no sense.
 */
export async function readRevision(
  settings: HubSettings,
  repository: string,
  revision: string,
): Promise<HubRevision> {
  const { listFiles, modelInfo } = await import('@huggingface/hub');
  const what = `${repository}@${revision}`;
  let requests = 0;
  const hubUrl = settings.endpoint;
  const throughUs = ((url: string, init?: RequestInit) => {
    if (++requests > MAX_PAGES) throw new HubError(`${what}: the hub's list of files does not end`);
    return withRetries(settings, () =>
      requestOnce(settings, what, url, { ...init, signal: AbortSignal.timeout(settings.stallMs) }),
    );
  }) as typeof fetch;
  const files = new Map<string, HubFile>();
  try {
    const info = await modelInfo({
      name: repository,
      revision,
      additionalFields: ['sha'],
      hubUrl,
      fetch: throughUs,
    });
    const commit = info.sha;
    if (!/^[0-9a-f]{40}$/.test(commit)) throw new HubError(`${what}: the hub gives "${commit}" as commit`);
    for await (const entry of listFiles({ repo: repository, revision: commit, hubUrl, fetch: throughUs })) {
      const file = readEntry(what, entry);
      if (file) files.set(file.name, file);
    }
    return { commit, files };
  } catch (error) {
    if (error instanceof BitmillError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new HubError(`${what}: the hub's answer makes no sense: ${reason}`, { cause: error });
  }
}
