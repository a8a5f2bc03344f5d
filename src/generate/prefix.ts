/** A session that knows which tokens it holds, so that of a sequence which begins like them only the rest is fed. */
import type { Session } from './session.ts';

/** What grows by tokens and can be cut back. */
export type Sequence = Pick<Session, 'position' | 'contextSize' | 'feed' | 'rewind'>;

/** Feeds and rewinds the session from now on; nobody else may. */
export class PrefixSession implements Sequence {
  readonly #session: Sequence;
  readonly #held: number[] = [];

  /** @param session forgets what it holds. */
  constructor(session: Sequence) {
    session.rewind(0);
    this.#session = session;
  }

  get position(): number {
    return this.#held.length;
  }

  get contextSize(): number {
    return this.#session.contextSize;
  }

  /**
   * Forgets all but what `ids` begin with; returns how many positions that are. At least one of `ids` is left to be fed,
   * because the logits come with the last one.
   */
  reuse(ids: Int32Array): number {
    const most = Math.min(this.#held.length, ids.length - 1);
    let same = 0;
    while (same < most && this.#held[same] === ids[same]) same++;
    this.rewind(same);
    return same;
  }

  /** As `Session.feed`. What was fed of a call that failed is forgotten. */
  async feed(tokens: Int32Array): Promise<Float32Array> {
    try {
      const logits = await this.#session.feed(tokens);
      for (const id of tokens) this.#held.push(id);
      return logits;
    } catch (error) {
      this.#session.rewind(this.#held.length);
      throw error;
    }
  }

  rewind(position: number): void {
    this.#held.length = Math.min(position, this.#held.length);
    this.#session.rewind(this.#held.length);
  }
}
