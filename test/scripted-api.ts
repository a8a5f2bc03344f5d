/**
 * A small OpenAI-like server for tests of the web chat, with the page beside it: `/` is `dist/web` with the strict
 * policy as a header, `/v1` answers what the test says. A test may hold an answer in the middle and let it go on.
 */
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTENT_SECURITY_POLICY } from '../apps/web/csp.ts';

export interface Reply {
  /** Pieces of the answer; a promise holds it. */
  readonly pieces?: readonly (string | Promise<string>)[];
  readonly finish?: 'stop' | 'length';
  /** Instead of an answer. */
  readonly error?: {
    readonly status: number;
    readonly message: string;
    readonly code?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  /** The connection is cut after the pieces. */
  readonly cut?: boolean;
}

export interface ChatBody {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly [parameter: string]: unknown;
}

export interface ScriptedApi {
  readonly url: string;
  /** Bodies of the chat requests, in order. */
  readonly asked: readonly ChatBody[];
  /** Values of `Authorization`, in order of all requests to `/v1`. */
  readonly keys: readonly (string | undefined)[];
  /** How many readers left before their answer was whole. */
  left(): number;
  /** What the next requests get, in order; after them answers are `ok`. */
  say(...replies: readonly Reply[]): void;
  close(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../dist/web/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

const MODELS = {
  object: 'list',
  data: [
    { id: 'phi3-tiny', object: 'model', created: 0, owned_by: 'bitmill', file_type: 'Q8_0' },
    { id: 'phi3-tiny-q4', object: 'model', created: 0, owned_by: 'bitmill', file_type: 'Q4_K_M' },
  ],
};

function sendPage(url: string, response: http.ServerResponse): void {
  const name = url === '/' ? 'index.html' : decodeURIComponent(url.slice(1));
  const file = path.join(ROOT, name);
  if (!file.startsWith(ROOT) || !existsSync(file)) return void response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-security-policy': `${CONTENT_SECURITY_POLICY}; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
  });
  response.end(readFileSync(file));
}

async function bodyOf(request: http.IncomingMessage): Promise<ChatBody> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as ChatBody;
}

const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

async function stream({ pieces = ['ok'], finish = 'stop', cut }: Reply, response: http.ServerResponse) {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const gone = new Promise<undefined>((resolve) => response.on('close', () => resolve(undefined)));
  let tokens = 0;
  for (const piece of pieces) {
    const content = await Promise.race([piece, gone]);
    if (content === undefined) return;
    tokens++;
    response.write(event({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }));
  }
  if (cut) return void response.destroy();
  response.write(event({ choices: [{ index: 0, delta: {}, finish_reason: finish }] }));
  response.write(event({ choices: [], usage: { prompt_tokens: 12, completion_tokens: tokens } }));
  response.end('data: [DONE]\n\n');
}

function refuse(
  { status, message, code, headers }: NonNullable<Reply['error']>,
  response: http.ServerResponse,
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ error: { message, type: 'invalid_request_error', code: code ?? null } }));
}

/** @param port 0 takes a free one. */
export async function openScriptedApi(port = 0): Promise<ScriptedApi> {
  const asked: ChatBody[] = [];
  const keys: (string | undefined)[] = [];
  const replies: Reply[] = [];
  let left = 0;
  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (!url.startsWith('/v1/')) return sendPage(url, response);
    keys.push(request.headers.authorization);
    if (url === '/v1/models') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify(MODELS));
    }
    asked.push(await bodyOf(request));
    const reply = replies.shift() ?? {};
    response.on('close', () => {
      if (!response.writableFinished && !reply.cut) left++;
    });
    if (reply.error) return refuse(reply.error, response);
    await stream(reply, response);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    keys,
    left: () => left,
    say: (...more) => void replies.push(...more),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
