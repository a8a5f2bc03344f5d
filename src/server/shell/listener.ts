/**
 * The listener: node:http with every limit set, so that no connection holds anything for long without paying for it.
 * It knows nothing of models or routes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { BitmillError } from '../../core/index.ts';
import { ApiError } from '../errors.ts';
import type { ListenerLimits } from './limits.ts';
import { Turns } from './turns.ts';

export type RequestHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>;

export interface ListenerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly limits: ListenerLimits;
  readonly handle: RequestHandler;
  /** Called for every connection that was answered or closed before it had become a request. */
  readonly onRefused?: (error: ApiError) => void;
}

/** What Node finds wrong with bytes, as answers. Everything else: 400. */
const CLIENT_ERRORS: Readonly<Record<string, ApiError>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new ApiError(408, 'the request took too long to arrive'),
  HPE_HEADER_OVERFLOW: new ApiError(431, 'the headers are too large'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new ApiError(413, 'the extensions of a chunk are too large'),
};
const MALFORMED = new ApiError(400, 'not a request of HTTP/1.1');

/** How often Node looks for requests that are late, in ms; its own default, 30 s, is longer than our limits. */
const CHECK_MS = 500;
/** Until a connection that was told off is closed, whether its client has read that or not, in ms. */
const FAREWELL_MS = 1000;

const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EACCES: 'may not be listened on by this user',
  EADDRNOTAVAIL: 'is no address of this machine',
  ENOTFOUND: 'is no known host',
};

export class Listener {
  readonly #server: Server;
  readonly #turns: Turns;

  private constructor({ limits, handle, onRefused }: ListenerOptions) {
    this.#turns = new Turns(limits.pipelined);
    const server = createServer({
      maxHeaderSize: limits.headerBytes,
      headersTimeout: 1000 * limits.headerSeconds,
      requestTimeout: 1000 * Math.max(limits.bodySeconds, limits.headerSeconds),
      keepAliveTimeout: 1000 * limits.keepAliveSeconds,
      connectionsCheckingInterval: CHECK_MS,
      requireHostHeader: true,
    });
    this.#server = server;
    server.maxConnections = limits.connections;
    const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
      void this.#serve(handle, incoming, outgoing);
    };
    server.on('request', serve);
    // Whoever asks before sending a body is told to go on when the body is read, not before.
    server.on('checkContinue', serve);
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
      const told = CLIENT_ERRORS[error.code ?? ''] ?? MALFORMED;
      if (this.#tellOff(socket, error, told)) onRefused?.(told);
    });
    server.setTimeout(1000 * limits.idleSeconds, (socket: Socket) => this.#onIdle(socket));
  }

  /** @throws resources error: the port is in use or forbidden; usage error: no such host. */
  static async open(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', (error: NodeJS.ErrnoException) => {
        const problem = SYSTEM_ERRORS[error.code ?? ''] ?? error.message;
        const hint = error.code === 'EADDRINUSE' ? { hint: 'another --port, or 0 for any that is free' } : {};
        reject(
          new BitmillError('resources', `${hostForUrl(host)}:${port} ${problem}`, { ...hint, cause: error }),
        );
      });
      listener.#server.listen({ host, port }, resolve);
    });
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((_, count) => resolve(count ?? 0)));
  }

  /** Takes no more connections and closes idle ones; resolves when all are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  /** Closes all connections, whatever they are doing. */
  abort(): void {
    this.#server.closeAllConnections();
  }

  async #serve(handle: RequestHandler, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (await this.#turns.take(incoming.socket, outgoing)) await handle(incoming, outgoing);
  }

  /** An error in plain bytes, for what never became a request. False: nobody is there to read it. */
  #tellOff(socket: Socket, { code }: NodeJS.ErrnoException, told: ApiError): boolean {
    const answering = this.#turns.current(socket)?.headersSent === true;
    if (!socket.writable || answering || code === 'ECONNRESET' || code === 'EPIPE') {
      socket.destroy();
      return false;
    }
    const text = JSON.stringify(told.body());
    socket.end(
      `HTTP/1.1 ${told.status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    // Closed with bytes unread, a connection is reset, and the answer may be lost on its way.
    socket.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
    return true;
  }

  /** Nothing has moved on a connection for a while: it ends, unless an answer is still being computed. */
  #onIdle(socket: Socket): void {
    if (socket.writableLength > 0 || !this.#turns.current(socket)) socket.destroy();
  }
}

/** An IPv6 address stands in brackets. */
export function hostForUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
