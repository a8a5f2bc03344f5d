/**
 * Requests of one connection, one after the other. Node hands out pipelined requests at once; answered side by side,
 * those behind the first would hold slots of a model for answers that cannot be written yet, and would not learn that
 * their reader has gone.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Line {
  /** The one whose turn it is; undefined between requests. */
  current: ServerResponse | undefined;
  waiting: number;
  tail: Promise<void>;
}

export class Turns {
  readonly #lines = new WeakMap<Socket, Line>();
  readonly #most: number;

  /** @param most requests of a connection that may wait behind the one whose turn it is. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The response that is being made on a connection. */
  current(socket: Socket): ServerResponse | undefined {
    return this.#lines.get(socket)?.current;
  }

  /** Resolves when it is the turn of this response; false: the connection is gone, or was closed for asking too much. */
  async take(socket: Socket, response: ServerResponse): Promise<boolean> {
    const line = this.#lineOf(socket);
    if (line.waiting >= this.#most) {
      socket.destroy();
      return false;
    }
    const before = line.tail;
    line.tail = new Promise((resolve) => response.once('close', resolve));
    line.waiting++;
    await before;
    line.waiting--;
    if (socket.destroyed) return false;
    line.current = response;
    response.once('close', () => {
      if (line.current === response) line.current = undefined;
    });
    return true;
  }

  #lineOf(socket: Socket): Line {
    const known = this.#lines.get(socket);
    if (known) return known;
    const line: Line = { current: undefined, waiting: 0, tail: Promise.resolve() };
    this.#lines.set(socket, line);
    return line;
  }
}
