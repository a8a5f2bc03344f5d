/**
 * Ctrl-C in a job whose files are all written in one step and whose journal is: the process may end at any moment. Only
 * the pass over the original, which has much in hand, is let come to rest first. Twice stops at once.
 */

/** What shells report of a program that SIGINT ended. */
export const INTERRUPTED = 130;

export class Interrupt {
  readonly #quiet: () => void;
  readonly #handler = () => this.#stop();
  #resting: AbortController | undefined;

  /** @param quiet takes the progress off the terminal. */
  constructor(quiet: () => void) {
    this.#quiet = quiet;
    process.on('SIGINT', this.#handler);
  }

  /** Work that stops by itself when it is told to. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#resting = controller;
    try {
      return await work(controller.signal);
    } catch (error) {
      if (!controller.signal.aborted) throw error;
      process.exit(INTERRUPTED);
    } finally {
      this.#resting = undefined;
    }
  }

  close(): void {
    process.removeListener('SIGINT', this.#handler);
  }

  #stop(): void {
    this.#quiet();
    const resting = this.#resting;
    if (resting && !resting.signal.aborted) {
      process.stderr.write('\nstopping after the work in hand; once more stops at once\n');
      resting.abort();
      return;
    }
    // Others who listen have something of their own to say, and end the process.
    if (process.listenerCount('SIGINT') > 1) return;
    process.stderr.write('\nstopped; the same command goes on from here\n');
    process.exit(INTERRUPTED);
  }
}
