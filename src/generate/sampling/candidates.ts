/**
 * The tokens that are still in the running, and what each weighs: e^(logit - largest logit). The whole vocabulary is
 * ranked only as far as a filter looks.
 */
import { largest } from './ranking.ts';

/** First look at the ranking, and by how much it grows while a filter wants more. */
const FIRST_LOOK = 64;
const GROWTH = 8;

export class Candidates {
  readonly #logits: Float32Array;
  readonly #top: number;
  #ranked: Int32Array;
  /** How many of the ranking are in the running; undefined: all of the vocabulary. */
  #kept: number | undefined;
  /** Ids in the running where they are no beginning of the ranking. */
  #chosen: Int32Array | undefined;

  /** @param logits f32 [V]; not changed. */
  constructor(logits: Float32Array) {
    this.#logits = logits;
    this.#ranked = largest(logits, 1);
    this.#top = logits[this.#ranked[0]];
  }

  /** How likely a token is, the most likely one being 1. */
  weight(id: number): number {
    const difference = this.#logits[id] - this.#top;
    return Number.isNaN(difference) ? 0 : Math.exp(difference);
  }

  /** Sum of the weights of all that are in the running. */
  total(): number {
    let sum = 0;
    for (const id of this.ids()) sum += this.weight(id);
    return sum;
  }

  /** All in the running: the most likely first, once a filter has ranked them, else by id. */
  *ids(): Generator<number> {
    if (this.#chosen) yield* this.#chosen;
    else if (this.#kept === undefined) for (let id = 0; id < this.#logits.length; id++) yield id;
    else yield* this.#ranked.subarray(0, this.#kept);
  }

  get size(): number {
    return this.#chosen?.length ?? this.#kept ?? this.#logits.length;
  }

  /** Keeps the `count` most likely. */
  keepTop(count: number): void {
    const size = Math.max(1, Math.min(count, this.size));
    this.#rank(size);
    this.#kept = size;
  }

  /** Keeps the most likely ones while `goesOn` says so of the weights before; at least one. */
  keepWhile(goesOn: (weight: number, sumBefore: number) => boolean): void {
    const most = this.size;
    let sum = 0;
    for (let at = 0; at < most; at++) {
      if (at >= this.#ranked.length) this.#rank(Math.min(most, Math.max(FIRST_LOOK, at * GROWTH)));
      const weight = this.weight(this.#ranked[at]);
      if (at > 0 && !goesOn(weight, sum)) {
        this.#kept = at;
        return;
      }
      sum += weight;
    }
    this.#kept = most;
  }

  /** Keeps the given ids. Only as the last filter: there is no ranking of them. */
  keepOnly(ids: Int32Array): void {
    this.#chosen = ids;
  }

  #rank(count: number): void {
    if (this.#ranked.length < count) this.#ranked = largest(this.#logits, count);
  }
}
