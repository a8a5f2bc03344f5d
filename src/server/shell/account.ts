/** What is known of one request while it runs; when it is over, a line of the log and a count. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A route that no request has matched yet, and never will where it is refused on the way. */
export const NO_ROUTE = 'none';
/** In the log only: the asker had left before there was an answer. nginx's number. */
const CLIENT_CLOSED = 499;
/** Characters of a path in the log. */
const PATH_LENGTH = 200;

export interface Account {
  readonly id: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly address: string;
  /** Who asks: a key's number or an address. The queue takes turns between them. */
  client: string;
  /** The pattern that matched, so that there are few of them. */
  route: string;
  /** What the routes say of the answer: model, tokens. */
  notes: Readonly<Record<string, unknown>>;
}

/** How it ended. */
export interface Closing {
  readonly status: number;
  readonly seconds: number;
  /** Whether the answer went out to its end. */
  readonly whole: boolean;
}

/** A request's own id is kept where it is harmless in a log. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID();
}

/** @param onClose called once, when the answer is out or the connection gone. */
export function openAccount(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onClose: (account: Account, closing: Closing) => void,
): Account {
  const started = performance.now();
  const address = incoming.socket.remoteAddress ?? 'unknown';
  const account: Account = {
    id: requestId(incoming.headers['x-request-id']),
    method: incoming.method ?? 'GET',
    path: (incoming.url ?? '/').split('?', 1)[0].slice(0, PATH_LENGTH),
    address,
    client: address,
    route: NO_ROUTE,
    notes: {},
  };
  outgoing.once('close', () => {
    onClose(account, {
      status: outgoing.headersSent ? outgoing.statusCode : CLIENT_CLOSED,
      seconds: (performance.now() - started) / 1000,
      whole: outgoing.writableFinished,
    });
  });
  return account;
}
