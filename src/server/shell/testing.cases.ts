/** What tests of the shell share: a server with an API of their own, and clients that are as rude as they like. */
import { connect, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { DEFAULT_SETTINGS, type ServerSettings } from '../settings.ts';
import { LISTENER_LIMITS, type ListenerLimits } from './limits.ts';
import { openLog } from './log.ts';
import { Metrics } from './metrics.ts';
import type { Page } from './page.ts';
import { ApiServer } from './server.ts';
import type { Api } from './shell.ts';

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly metrics: Metrics;
  /** Lines of the log so far. */
  readonly log: () => Record<string, unknown>[];
  /** Resolves when the log has a line that fits. */
  readonly logged: (fits: (line: Record<string, unknown>) => boolean) => Promise<Record<string, unknown>>;
  readonly drain: (seconds: number, now?: AbortSignal) => Promise<number>;
}

export interface TestOptions {
  readonly settings?: Partial<ServerSettings>;
  readonly limits?: Partial<ListenerLimits>;
  readonly hosts?: readonly string[] | undefined;
  readonly page?: Page;
  /** Undefined: models are still being loaded. */
  readonly api?: Api | undefined;
}

/** Says back what it was sent. */
export const echo: Api = async (request) =>
  Response.json({ method: request.method, body: await request.text() });

export async function withServer<T>(
  options: TestOptions,
  use: (server: TestServer) => Promise<T>,
): Promise<T> {
  const lines: Record<string, unknown>[] = [];
  const listeners = new Set<() => void>();
  const to = new Writable({
    write: (chunk, _, done) => {
      lines.push(JSON.parse(String(chunk)));
      for (const listener of listeners) listener();
      done();
    },
  });
  const metrics = new Metrics();
  const server = await ApiServer.open({
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    hosts: 'hosts' in options ? options.hosts : [],
    page: options.page,
    metrics,
    log: openLog('info', to),
    host: '127.0.0.1',
    port: 0,
    limits: { ...LISTENER_LIMITS, ...options.limits },
  });
  const api = 'api' in options ? options.api : echo;
  if (api) server.serve(api, []);
  const never = new AbortController().signal;
  const logged: TestServer['logged'] = (fits) =>
    new Promise((resolve) => {
      const look = (): void => {
        const line = lines.find(fits);
        if (!line) return;
        listeners.delete(look);
        resolve(line);
      };
      listeners.add(look);
      look();
    });
  try {
    return await use({
      url: server.url,
      port: server.port,
      metrics,
      log: () => lines,
      logged,
      drain: (seconds, now = never) => server.drain(seconds, now),
    });
  } finally {
    await server.drain(0, AbortSignal.abort());
  }
}

/** A client of bytes. */
export interface RawClient {
  readonly socket: Socket;
  /** All bytes until the server closes the connection. */
  readonly end: Promise<string>;
  /** Resolves with all bytes so far when they contain a text. */
  until(text: string): Promise<string>;
}

export async function rawClient(port: number, first = ''): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.setEncoding('utf8');
  let received = '';
  const looks = new Set<() => void>();
  socket.on('data', (text: string) => {
    received += text;
    for (const look of looks) look();
  });
  socket.on('error', () => {});
  const end = new Promise<string>((resolve) => {
    const done = (): void => {
      socket.destroy();
      resolve(received);
    };
    socket.once('end', done);
    socket.once('close', done);
  });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  if (first) socket.write(first);
  const until = (text: string): Promise<string> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!received.includes(text)) return;
        looks.delete(look);
        resolve(received);
      };
      looks.add(look);
      look();
    });
  return { socket, end, until };
}

/** The head of a request, with `Host`. */
export function head(line: string, headers: Readonly<Record<string, string | number>> = {}): string {
  const fields = Object.entries({ host: '127.0.0.1', ...headers });
  return `${line} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

export function statusOf(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}
