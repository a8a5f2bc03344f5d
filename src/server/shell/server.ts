/** A server from its first connection to its last: listens, loads, answers, drains. */
import type { ModelService } from '../../generate/index.ts';
import { NO_ROUTE } from './account.ts';
import type { ListenerLimits } from './limits.ts';
import { hostForUrl, Listener } from './listener.ts';
import { type Api, Shell, type ShellOptions } from './shell.ts';

export interface ServerOptions extends ShellOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly limits: ListenerLimits;
}

/** Addresses that mean all of a machine's, and what is asked for instead. */
const LOCAL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

export class ApiServer {
  readonly #listener: Listener;
  readonly #shell: Shell;
  readonly #host: string;
  #services: readonly ModelService[] = [];

  private constructor(listener: Listener, shell: Shell, host: string) {
    this.#listener = listener;
    this.#shell = shell;
    this.#host = host;
  }

  /** Listens; what needs a model is answered with 503 until `serve`. @throws resources error: the port is taken. */
  static async open(options: ServerOptions): Promise<ApiServer> {
    const shell = new Shell(options);
    const { host, port, limits, metrics, log } = options;
    const listener = await Listener.open({
      host,
      port,
      limits,
      handle: shell.handler(),
      onRefused: ({ status, message }) => {
        metrics.countRefusal(status, NO_ROUTE);
        log.info({ status }, message);
      },
    });
    return new ApiServer(listener, shell, host);
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Where clients on this machine find it. */
  get url(): string {
    return `http://${hostForUrl(LOCAL[this.#host] ?? this.#host)}:${this.port}`;
  }

  /** @param services what stands behind the API: drained and closed with the server. */
  serve(api: Api, services: readonly ModelService[]): void {
    this.#services = services;
    this.#shell.open(api);
  }

  /**
   * Takes nothing new, waits for what runs, closes everything.
   * @param seconds that it waits at most. @param now ends the wait at once.
   * @returns answers that were cut off.
   */
  async drain(seconds: number, now: AbortSignal): Promise<number> {
    const closed = this.#listener.close();
    const quiet = this.#shell.drain();
    await firstOf(quiet, seconds, now);
    const cut = this.#shell.running;
    await Promise.all(this.#services.map((service) => service.close()));
    this.#listener.abort();
    await closed;
    return cut;
  }
}

/** Resolves with the first of: the promise, the time, the signal. */
async function firstOf(promise: Promise<void>, seconds: number, now: AbortSignal): Promise<void> {
  let end = (): void => {};
  const other = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    const onAbort = (): void => resolve();
    if (now.aborted) onAbort();
    now.addEventListener('abort', onAbort, { once: true });
    end = () => {
      clearTimeout(timer);
      now.removeEventListener('abort', onAbort);
    };
  });
  await Promise.race([promise, other]);
  end();
}
