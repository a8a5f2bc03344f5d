/** A queue that takes turns between clients; within one client the first comes first. */
export class FairQueue<T> {
  /** Lines of those who wait, none empty; the first one's turn is next. */
  readonly #lines = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(client: string, item: T): void {
    const line = this.#lines.get(client);
    if (line) line.push(item);
    else this.#lines.set(client, [item]);
    this.#size++;
  }

  shift(): T | undefined {
    const [next] = this.#lines;
    if (!next) return undefined;
    const [client, line] = next;
    const item = line.shift();
    this.#size--;
    // The client's next turn comes after everybody else's.
    this.#lines.delete(client);
    if (line.length > 0) this.#lines.set(client, line);
    return item;
  }

  /** Whether it was there. */
  remove(client: string, item: T): boolean {
    const line = this.#lines.get(client) ?? [];
    const at = line.indexOf(item);
    if (at < 0) return false;
    line.splice(at, 1);
    if (line.length === 0) this.#lines.delete(client);
    this.#size--;
    return true;
  }
}
