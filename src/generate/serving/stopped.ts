/** How work ends that nobody wants any more. Stays inside of this folder. */

/** Thrown through what is under way when its request was cancelled, or the service closed. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
    this.name = 'Stopped';
  }
}

/**
 * Ends one request: when its own signal says so, when its reader leaves, or when the service closes. Not
 * `AbortSignal.any`: in Node 20 that keeps what it joined with a signal that lives long.
 */
export class Leash {
  readonly #controller = new AbortController();
  #outer: AbortSignal | undefined;
  readonly stop = (): void => this.#controller.abort();

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The request has begun. */
  follow(outer: AbortSignal | undefined): void {
    this.#outer = outer;
    if (outer?.aborted) this.stop();
    outer?.addEventListener('abort', this.stop);
  }

  /** The request is over; its signal may live on. */
  release(): void {
    this.#outer?.removeEventListener('abort', this.stop);
  }
}
