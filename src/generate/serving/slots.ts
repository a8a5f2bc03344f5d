/**
 * The slots of a service: who waits for one, who gets which, and what is taken over from what others hold. Prompts that
 * begin alike are computed once, also when they come at the same time.
 */
import { BusyError } from './busy.ts';
import { FairQueue } from './fair-queue.ts';
import type { Slot } from './slot.ts';
import { sharedLength } from './slot.ts';
import { Stopped } from './stopped.ts';

/** Tokens from which on a beginning is copied, and waited for, rather than computed once more. */
const WORTH_COPYING = 8;

/** Durations that are remembered, to say when there may be room again. */
const REMEMBERED = 32;

/** Seconds that anybody is asked to wait at most, and that are guessed of a first request. */
const MOST_WAIT = 120;
const FIRST_GUESS = 5;

/** Who waits for a slot. */
interface Waiter {
  readonly ids: Int32Array;
  readonly resolve: (slot: Slot) => void;
}

export interface SlotRequest {
  readonly ids: Int32Array;
  readonly client: string;
  readonly signal: AbortSignal;
}

export class Slots {
  readonly #slots: readonly Slot[];
  readonly #limit: number;
  readonly #queue = new FairQueue<Waiter>();
  readonly #starts = new Map<Slot, number>();
  /** Seconds; of the last ones. */
  readonly #durations: number[] = [];
  #turn = 0;

  /** @param limit requests that wait at most. */
  constructor(slots: readonly Slot[], limit: number) {
    this.#slots = slots;
    this.#limit = limit;
  }

  get count(): number {
    return this.#slots.length;
  }

  get active(): number {
    return this.#starts.size;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /**
   * A slot that has begun work on the ids; holds as much of them as it did already. To be given back in any case.
   * @throws BusyError; Stopped.
   */
  async take({ ids, client, signal }: SlotRequest): Promise<Slot> {
    if (signal.aborted) throw new Stopped();
    const hasFree = this.active < this.count;
    if (!hasFree && this.waiting >= this.#limit) throw new BusyError(this.waiting, this.#retryAfter());
    let leave = () => {};
    const slot = new Promise<Slot>((resolve, reject) => {
      const waiter = { ids, resolve };
      leave = () => {
        if (this.#queue.remove(client, waiter)) reject(new Stopped());
      };
      signal.addEventListener('abort', leave);
      this.#queue.push(client, waiter);
    });
    this.#assign();
    return slot.finally(() => signal.removeEventListener('abort', leave));
  }

  release(slot: Slot): void {
    const start = this.#starts.get(slot) ?? performance.now();
    this.#durations.push((performance.now() - start) / 1000);
    if (this.#durations.length > REMEMBERED) this.#durations.shift();
    this.#starts.delete(slot);
    slot.end();
    this.#assign();
  }

  /**
   * Takes over from other slots what is worth it of the beginning of the ids, and waits for it where one is about to
   * compute it. It waits for requests that began before only, so nobody waits for one another.
   * @throws Stopped.
   */
  async share(slot: Slot, ids: Int32Array, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw new Stopped();
      const best = this.#source(slot, ids);
      if (!best || best.length - slot.position < WORTH_COPYING) return;
      if (sharedLength(best.source.held, ids) < best.length) await best.source.change(signal);
      else await slot.copy(best.source, ids);
    }
  }

  /** The slot with most of the ids, and how many that are: of equal ones the one that has them now, or began first. */
  #source(slot: Slot, ids: Int32Array): { readonly source: Slot; readonly length: number } | undefined {
    const [best] = this.#slots
      .filter((other) => other !== slot && (!other.plan || other.turn < slot.turn))
      .map((source) => ({ source, length: Math.min(source.promise(ids), ids.length - 1) }))
      .sort(
        (a, b) =>
          b.length - a.length || b.source.position - a.source.position || a.source.turn - b.source.turn,
      );
    return best;
  }

  #assign(): void {
    for (;;) {
      const free = this.#slots.filter(({ plan }) => !plan);
      if (free.length === 0) return;
      const waiter = this.#queue.shift();
      if (!waiter) return;
      const slot = choose(free, waiter.ids);
      this.#starts.set(slot, performance.now());
      slot.begin(waiter.ids, ++this.#turn);
      waiter.resolve(slot);
    }
  }

  /** Seconds until the queue has room, from how long requests took of late. */
  #retryAfter(): number {
    const known = this.#durations;
    const mean = known.length > 0 ? known.reduce((sum, one) => sum + one, 0) / known.length : FIRST_GUESS;
    return Math.min(MOST_WAIT, Math.max(1, Math.ceil((mean * (this.waiting + 1)) / this.count)));
  }
}

/**
 * The slot that holds most of the ids, if that is more than what it would have to forget: else the one that was used
 * least recently (what is shared is copied there), so that beginnings of many conversations stay held.
 */
function choose(free: readonly Slot[], ids: Int32Array): Slot {
  const byAge = [...free].sort((a, b) => a.turn - b.turn);
  const [best] = byAge
    .map((slot) => ({ slot, shared: sharedLength(slot.held, ids) }))
    .sort((a, b) => b.shared - a.shared);
  return best.shared >= best.slot.position - best.shared ? best.slot : byAge[0];
}
