/** The list of conversations and the search in it. */
import { type Signal, signal } from '@preact/signals';
import type { Summary } from './conversation.ts';
import type { Store } from './store.ts';

export class Shelf {
  /** Newest first; those that the search finds. */
  readonly list: Signal<readonly Summary[]> = signal([]);
  readonly query: Signal<string> = signal('');
  readonly store: Store;
  readonly #onProblem: (message: string) => void;
  #reading = 0;

  constructor(store: Store, onProblem: (message: string) => void) {
    this.store = store;
    this.#onProblem = onProblem;
  }

  search(text: string): Promise<void> {
    this.query.value = text;
    return this.refresh();
  }

  /** Reads the list again; of several readings at once the last one counts. */
  async refresh(): Promise<void> {
    const reading = ++this.#reading;
    const query = this.query.peek().trim();
    try {
      const found = await (query ? this.store.search(query) : this.store.list());
      if (reading === this.#reading) this.list.value = found;
    } catch (error) {
      this.#onProblem(`This browser could not read its conversations: ${String(error)}.`);
    }
  }
}
