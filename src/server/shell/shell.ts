/**
 * The shell around the API: what every request passes before it reaches a model. Who asks, for whom, from where; how
 * much it sends; how long it takes. Beside the API it serves the page, `/health` and `/metrics`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { Logger } from 'pino';
import { ApiError } from '../errors.ts';
import type { ServerSettings } from '../settings.ts';
import { type Account, openAccount } from './account.ts';
import { partingResponse, readBody } from './body.ts';
import { openDeadline, within } from './deadline.ts';
import { isAllowedHost, isAllowedOrigin } from './hosts.ts';
import { keyCheck } from './keys.ts';
import { logRequest } from './log.ts';
import type { Metrics } from './metrics.ts';
import { type Page, pageResponse } from './page.ts';

/** What a request brings along to the routes of the API. */
export interface Passed {
  readonly account: Account;
  readonly signal: AbortSignal;
}

/** The API: a fetch handler of requests whose bodies are there. */
export type Api = (request: Request, passed: Passed) => Response | Promise<Response>;

export interface ShellOptions {
  readonly settings: ServerSettings;
  /** Names that `Host` may have beside those of this machine; undefined: any. */
  readonly hosts: readonly string[] | undefined;
  readonly page: Page | undefined;
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface ShellEnv {
  Bindings: HttpBindings & { readonly account: Account };
}

type Guard = MiddlewareHandler<ShellEnv>;

/** On every answer: its type is what it says, and nobody is told where a link was clicked. */
const SAFE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const EXPOSED = ['x-request-id', 'retry-after'];
const PREFLIGHT_SECONDS = 600;
const RETRY_SECONDS = 5;

const NO_PAGE = `This is bitmill: an OpenAI-compatible server. Its API is at /v1, described in /openapi.json.
There is no web chat here: it is not among the files of this installation.
`;

export class Shell {
  readonly #options: ShellOptions;
  readonly #checkKey: ReturnType<typeof keyCheck>;
  readonly #app = new Hono<ShellEnv>();
  #api: Api | undefined;
  #draining = false;
  /** Requests that are being answered. */
  #running = 0;
  #onQuiet: (() => void) | undefined;

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#checkKey = keyCheck(options.settings.apiKeys);
    this.#defineRoutes();
  }

  get running(): number {
    return this.#running;
  }

  /** Models are loaded: requests reach them from now on. */
  open(api: Api): void {
    this.#api = api;
  }

  /** Takes no more requests; resolves when those that run are answered. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
    });
  }

  /** For a listener of Node. */
  handler(): (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void> {
    const accounts = new WeakMap<IncomingMessage, Account>();
    const { log } = this.#options;
    const listener = getRequestListener(
      (request, env) => {
        const { incoming, outgoing } = env as HttpBindings;
        return this.#app.fetch(request, { incoming, outgoing, account: accounts.get(incoming) });
      },
      {
        overrideGlobalObjects: false,
        autoCleanupIncoming: false,
        errorHandler: (error) => {
          if (error instanceof RequestError) return new ApiError(400, error.message).response();
          log.error({ err: error }, 'a request broke');
          return new ApiError(500, 'the server failed to answer this request').response();
        },
      },
    );
    return async (incoming, outgoing) => {
      accounts.set(incoming, this.#begin(incoming, outgoing));
      await listener(incoming, outgoing);
    };
  }

  #begin(incoming: IncomingMessage, outgoing: ServerResponse): Account {
    this.#running++;
    const { log, metrics } = this.#options;
    const account = openAccount(incoming, outgoing, (account, closing) => {
      metrics.count(account, closing);
      logRequest(log, account, closing);
      this.#running--;
      if (this.#running === 0) this.#onQuiet?.();
    });
    if (this.#draining) outgoing.shouldKeepAlive = false;
    outgoing.setHeader('x-request-id', account.id);
    for (const [name, value] of Object.entries(SAFE_HEADERS)) outgoing.setHeader(name, value);
    return account;
  }

  #defineRoutes(): void {
    const { settings } = this.#options;
    const app = this.#app;
    app.onError((error, c) => {
      this.#options.log.error({ err: error, request: c.env.account.id }, 'a request broke');
      return parting(c, new ApiError(500, 'the server failed to answer this request'));
    });
    app.use(this.#guardHost());
    if (settings.corsOrigins.length > 0) app.use(this.#allowOrigins());
    app.get('/health', (c) => this.#health(c));
    app.use(this.#servePage());
    app.use(this.#guardKey());
    app.get('/metrics', async (c) => {
      c.env.account.route = '/metrics';
      const { metrics } = this.#options;
      return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType });
    });
    app.all('*', (c) => this.#answer(c));
  }

  /** Against pages of other sites: see hosts.ts. */
  #guardHost(): Guard {
    const { hosts, settings } = this.#options;
    return async (c, next) => {
      const { host, origin } = c.env.incoming.headers;
      if (hosts && !isAllowedHost(host, hosts)) {
        return parting(
          c,
          new ApiError(403, `host ${host} is not a name of this server; --allow-host adds one`),
        );
      }
      if (!isAllowedOrigin(origin, host, settings.corsOrigins)) {
        return parting(
          c,
          new ApiError(403, `pages of ${origin} may not ask this server; --cors allows them`),
        );
      }
      return next();
    };
  }

  #allowOrigins(): Guard {
    const { corsOrigins } = this.#options.settings;
    return cors({
      origin: corsOrigins.includes('*') ? '*' : [...corsOrigins],
      allowMethods: ['GET', 'HEAD', 'POST'],
      exposeHeaders: EXPOSED,
      maxAge: PREFLIGHT_SECONDS,
    });
  }

  #health(c: Context<ShellEnv>): Response {
    c.env.account.route = '/health';
    const status = this.#draining ? 'draining' : this.#api ? 'ok' : 'loading';
    return c.json({ status }, status === 'ok' ? 200 : 503);
  }

  #servePage(): Guard {
    const page = this.#options.page ?? new Map();
    return async (c, next) => {
      const found = pageResponse(page, c.req.raw, c.req.path);
      if (found) c.env.account.route = c.req.path === '/' ? '/' : '/assets';
      if (found || c.req.path !== '/' || c.req.method !== 'GET') return found ?? next();
      c.env.account.route = '/';
      return c.text(NO_PAGE);
    };
  }

  #guardKey(): Guard {
    const { apiKeys } = this.#options.settings;
    return async (c, next) => {
      if (apiKeys.length === 0) return next();
      const number = this.#checkKey(c.req.header('authorization'));
      if (number === undefined) {
        const message =
          c.req.header('authorization') === undefined ? 'no API key was given' : 'wrong API key';
        const headers = { 'www-authenticate': 'Bearer' };
        return parting(c, new ApiError(401, message, { code: 'invalid_api_key', headers }));
      }
      c.env.account.client = `key ${number + 1}`;
      return next();
    };
  }

  async #answer(c: Context<ShellEnv>): Promise<Response> {
    const api = this.#api;
    if (this.#draining || !api) {
      const message = api ? 'the server is shutting down' : 'the models are being loaded';
      const headers = { 'retry-after': String(RETRY_SECONDS) };
      return parting(c, new ApiError(503, message, { code: 'unavailable', headers }));
    }
    const { incoming, outgoing, account } = c.env;
    const { settings, log } = this.#options;
    const body = await readBody(incoming, outgoing, settings.maxBodyBytes);
    if (body === 'gone') return new Response(null, { status: 400 });
    if (body === 'large') {
      return parting(c, new ApiError(413, `the body is larger than ${settings.maxBodyBytes} bytes`));
    }
    const deadline = openDeadline(settings.requestSeconds, c.req.raw.signal, lateAfter(settings));
    const answer = Promise.resolve(api(withBody(c.req.raw, body), { account, signal: deadline.signal }));
    return within(deadline, answer, {
      cut: () => outgoing.destroy(),
      onFault: (error) => log.error({ err: error, request: account.id }, 'a stream broke'),
    });
  }
}

function parting(c: Context<ShellEnv>, error: ApiError): Promise<Response> {
  return partingResponse(c.env.incoming, error.response());
}

/** Clients try again after this status; it would take as long once more. */
function lateAfter({ requestSeconds }: ServerSettings): ApiError {
  const message = `the request took longer than ${requestSeconds} s, which is what this server allows`;
  return new ApiError(504, message, { code: 'timeout', headers: { 'x-should-retry': 'false' } });
}

function withBody(request: Request, body: Uint8Array<ArrayBuffer>): Request {
  const { method, url, headers } = request;
  const bodiless = method === 'GET' || method === 'HEAD';
  return new Request(url, { method, headers: [...headers], ...(bodiless ? {} : { body }) });
}
