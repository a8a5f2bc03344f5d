/**
 * The requests of an upload, as `@huggingface/hub` makes them, through our own hands: each is tried again alone after
 * passing faults, counted byte by byte, cut off when nothing moves, and refused in words that name file and right.
 */
import { type Hints, HubError, type HubSettings, requestOnce, withRetries } from './hub-request.ts';

/** Answers may take this many times as long as silence on the way: a commit is work for the hub. */
const PATIENCE = 5;

/** What the request is for. */
type Purpose = 'create' | 'write' | 'store';

function hintsOf(purpose: Purpose, { endpoint, token }: HubSettings): Hints {
  const page = `${endpoint}/settings/tokens`;
  const unknown = token
    ? `The hub does not accept the token: is it whole, has it expired? Tokens are made on ${page}.`
    : `Set HF_TOKEN to a token with the right to write; tokens are made on ${page}.`;
  const size = 'Smaller files pass: bitmill split makes shards; --exclude leaves a file out.';
  const again = 'Run the same command again: what is there already is not sent again.';
  const table: Readonly<Record<Purpose, Hints>> = {
    create: {
      401: unknown,
      403: `The token may not make repositories for that owner: it needs the role "write", or write access to the owner's repositories (${page}).`,
    },
    write: {
      401: unknown,
      403: `The token may not write to this repository: it needs the role "write", or write access to the repository's contents (${page}); with --create-pr files are proposed instead.`,
      404: 'Check the spelling of the repository (owner/name) and the branch, and that the token may see it.',
      409: again,
      412: again,
      413: size,
    },
    store: {
      401: again,
      403: `The address that the hub gave for this file is refused or has expired. ${again}`,
      404: again,
      413: size,
    },
  };
  return table[purpose];
}

function purposeOf(url: string, method: string | undefined, { endpoint }: HubSettings): Purpose {
  if (method === 'PUT' || !url.startsWith(`${endpoint}/`)) return 'store';
  return url.endsWith('/api/repos/create') ? 'create' : 'write';
}

/** Statuses that say that the hub did nothing. */
const UNTOUCHED = new Set([429, 503]);

/**
 * The error, as final where the request opens a pull request and may have done so: again would open a second one.
 * All other requests end in the same state when they are made twice.
 */
function onceOnly(url: string, error: unknown, { endpoint }: HubSettings): unknown {
  const { pathname, searchParams } = new URL(url);
  const opens = pathname.includes('/commit/') && searchParams.get('create_pr') === '1';
  if (!opens || !(error instanceof HubError) || !error.passing || UNTOUCHED.has(error.status ?? 0))
    return error;
  const page = `${endpoint}/${pathname.split('/').slice(3, 5).join('/')}/discussions`;
  const hint = `The pull request may have been opened: look at ${page} before running the command again.`;
  const { reached, status, code } = error;
  return new HubError(error.message, { hint, cause: error, reached, code, ...(status ? { status } : {}) });
}

/** What the library tells of a request in `progressHint`, checked. */
function hintedFile(init: RequestInit): { path: string; part: string } | undefined {
  const hint: unknown = 'progressHint' in init ? init.progressHint : undefined;
  if (!hint || typeof hint !== 'object' || !('path' in hint) || typeof hint.path !== 'string')
    return undefined;
  const { path } = hint;
  const parted = 'part' in hint && typeof hint.part === 'number' && 'numParts' in hint;
  return { path, part: parted ? `, part ${Number(hint.part) + 1} of ${hint.numParts}` : '' };
}

/** A blob that says how many of its bytes were taken. */
class CountedBlob extends Blob {
  readonly #inner: Blob;
  readonly #onBytes: (bytes: number) => void;

  constructor(inner: Blob, onBytes: (bytes: number) => void) {
    super();
    this.#inner = inner;
    this.#onBytes = onBytes;
  }

  override get size(): number {
    return this.#inner.size;
  }

  override stream(): ReturnType<Blob['stream']> {
    const count = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform: (bytes, out) => {
        this.#onBytes(bytes.length);
        out.enqueue(bytes);
      },
    });
    return this.#inner.stream().pipeThrough(count);
  }
}

/** An answer whose body is here as a whole: a connection lost within it is a fault like any other. */
async function whole(what: string, response: Response): Promise<Response> {
  try {
    const body = await response.arrayBuffer();
    const { status, statusText, headers } = response;
    return new Response(status === 204 ? null : body, { status, statusText, headers });
  } catch (cause) {
    throw new HubError(`${what}: the connection broke off within the answer`, {
      cause,
      passing: true,
      reached: false,
    });
  }
}

/** The `fetch` of one upload. */
export class Sender {
  readonly #settings: HubSettings;
  readonly #repository: string;
  readonly #onBytes: (path: string, bytes: number) => void;
  readonly #failed: Promise<never>;
  #fail: (error: unknown) => void = () => {};

  /** @param onBytes bytes of a file on their way; negative when they are sent again. */
  constructor(
    settings: HubSettings,
    repository: string,
    onBytes: (path: string, bytes: number) => void = () => {},
  ) {
    this.#settings = settings;
    this.#repository = repository;
    this.#onBytes = onBytes;
    this.#failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
  }

  /**
   * The result of `work`, or the first refusal of a request made meanwhile: the library's generator can lose an error
   * that comes while events wait in it, and would then wait for ever.
   */
  orFailure<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed]);
  }

  readonly fetch = (async (url: string, init: RequestInit = {}): Promise<Response> => {
    const signal = init.signal ?? undefined;
    try {
      return await withRetries(this.#settings, () => this.#once(url, init), { signal });
    } catch (error) {
      if (!signal?.aborted) this.#fail(error);
      throw error;
    }
  }) as typeof fetch;

  async #once(url: string, init: RequestInit): Promise<Response> {
    const { stallMs } = this.#settings;
    const file = hintedFile(init);
    const what = file ? `${this.#repository}/${file.path}${file.part}` : this.#repository;
    const quiet = new AbortController();
    const giveUp = () => quiet.abort(new Error(`nothing moved for ${stallMs / 1000} s`));
    const sends = init.body instanceof Blob;
    const timer = setTimeout(giveUp, sends ? stallMs : stallMs * PATIENCE);
    let taken = 0;
    const count = (bytes: number): void => {
      timer.refresh();
      taken += bytes;
      if (file) this.#onBytes(file.path, bytes);
    };
    const signal = AbortSignal.any([quiet.signal, ...(init.signal ? [init.signal] : [])]);
    const body = init.body instanceof Blob ? new CountedBlob(init.body, count) : init.body;
    const hints = hintsOf(purposeOf(url, init.method, this.#settings), this.#settings);
    const request = { ...init, ...(body === undefined ? {} : { body }), signal };
    try {
      return await whole(what, await requestOnce(this.#settings, what, url, request, hints));
    } catch (error) {
      if (file) this.#onBytes(file.path, -taken);
      throw onceOnly(url, error, this.#settings);
    } finally {
      clearTimeout(timer);
    }
  }
}
