/** One sequence of a service: which tokens it holds, and for whom it works. */
import { BitmillError } from '../../core/index.ts';
import type { Sequences, Wanted } from '../sequences.ts';
import type { Batcher, Feed } from './batcher.ts';

/** How many ids two beginnings have in common. */
export function sharedLength(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const most = Math.min(a.length, b.length);
  let same = 0;
  while (same < most && a[same] === b[same]) same++;
  return same;
}

/** What goes with a feed: see `Feed`. */
export type FeedOptions = Pick<Feed, 'signal'> & Partial<Pick<Feed, 'onPiece'>>;

export class Slot {
  readonly sequence: number;
  /** Tokens that it holds. */
  held: number[] = [];
  /** The ids that it works on; undefined: it is free. */
  plan: Int32Array | undefined;
  /** Number of the request that it works on or worked on last; 0: none yet. */
  turn = 0;
  readonly #sequences: Sequences;
  readonly #batcher: Batcher;
  readonly #watchers = new Set<() => void>();

  constructor(sequence: number, sequences: Sequences, batcher: Batcher) {
    this.sequence = sequence;
    this.#sequences = sequences;
    this.#batcher = batcher;
  }

  get position(): number {
    return this.held.length;
  }

  get contextSize(): number {
    return this.#sequences.contextSize;
  }

  /** How much of these ids it holds, or will hold when it is done with its plan. */
  promise(ids: Int32Array): number {
    const { plan, held } = this;
    return sharedLength(plan && plan.length > held.length ? plan : held, ids);
  }

  /** Starts work on a request: forgets what does not belong to it. All but the last of the ids can be held already. */
  begin(ids: Int32Array, turn: number): void {
    this.plan = ids;
    this.turn = turn;
    this.rewind(Math.min(sharedLength(this.held, ids), ids.length - 1));
  }

  end(): void {
    this.plan = undefined;
    this.#changed();
  }

  rewind(position: number): void {
    this.held.length = Math.min(position, this.held.length);
    this.#sequences.rewind(this.sequence, this.held.length);
  }

  /** Takes a beginning of `ids` over from another slot, as much as it holds then; while no run is going on. */
  copy(from: Slot, ids: Int32Array): Promise<void> {
    return this.#batcher.between(() => {
      const count = Math.min(sharedLength(from.held, ids), ids.length - 1);
      if (count <= this.held.length) return;
      this.#sequences.copy(from.sequence, this.sequence, count);
      this.held = from.held.slice(0, count);
      this.#changed();
    });
  }

  /**
   * Appends tokens; what the last run of them gave. Those of runs before are for `onPiece`.
   * @throws resources error: more positions than the context size.
   */
  async feed(tokens: Int32Array, want: Wanted, options: FeedOptions = {}): Promise<Float32Array> {
    const end = this.position + tokens.length;
    if (end > this.contextSize) {
      throw new BitmillError('resources', `${end} tokens do not fit the context of ${this.contextSize}`);
    }
    let last: Float32Array = new Float32Array();
    let at = 0;
    const onPiece = (count: number, result: Float32Array) => {
      for (const id of tokens.subarray(at, at + count)) this.held.push(id);
      at += count;
      last = result;
      this.#changed();
      return options.onPiece?.(count, result);
    };
    await this.#batcher.feed({ sequence: this.sequence, tokens, want, signal: options.signal, onPiece });
    return last;
  }

  /** Resolves when it holds other tokens than now, or is free, or the signal says so. */
  change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#watchers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#watchers.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }

  #changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}
