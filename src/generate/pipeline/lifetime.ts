/** The end of a pipeline: what it stands on is freed once, and nothing works afterwards. */
import { usageError } from '../../core/index.ts';

export class Lifetime {
  readonly #free: () => Promise<void>;
  #ended: Promise<void> | undefined;

  /** @param free frees what the pipeline stands on. */
  constructor(free: () => Promise<void>) {
    this.#free = free;
  }

  /** @throws usage error: it is over. */
  check(): void {
    if (this.#ended) throw usageError('the pipeline was disposed of', 'make another one');
  }

  readonly end = (): Promise<void> => {
    this.#ended ??= this.#free();
    return this.#ended;
  };
}
