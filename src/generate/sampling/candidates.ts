/**
 * The tokens that are still in the running, and what each weighs: e^(logit - largest logit). The vocabulary is ranked
 * only as far as a filter looks.
 */
import { expBelow0 } from './exponential.ts';
import { mostLikely, ranked } from './ranking.ts';

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
  /** [V], once all were asked for. */
  #weights: Float64Array | undefined;

  /** @param logits f32 [V]; not changed. */
  constructor(logits: Float32Array) {
    this.#logits = logits;
    const best = mostLikely(logits);
    this.#ranked = Int32Array.of(best);
    this.#top = logits[best];
  }

  /** How likely a token is, the most likely one being 1. */
  weight(id: number): number {
    return this.#weights ? this.#weights[id] : expBelow0(this.#logits[id] - this.#top);
  }

  /** Sum of the weights of all that are in the running. */
  total(): number {
    const weights = this.#weightsLeft();
    let sum = 0;
    for (let at = 0; at < weights.length; at++) sum += weights[at];
    return sum;
  }

  /** The one at a share of the total, from 0 to below 1, in the order of `ids`. */
  draw(share: number): number {
    const weights = this.#weightsLeft();
    let left = share * this.total();
    let last = 0;
    for (let at = 0; at < weights.length && left >= 0; at++) {
      if (weights[at] > 0) last = at;
      left -= weights[at];
    }
    return weights[last] > 0 ? this.ids()[last] : 0;
  }

  /** All in the running: the most likely first, once a filter has ranked them, else by id. */
  ids(): Int32Array {
    if (this.#chosen) return this.#chosen;
    return this.#kept === undefined ? everyId(this.#logits.length) : this.#ranked.subarray(0, this.#kept);
  }

  get size(): number {
    return this.#chosen?.length ?? this.#kept ?? this.#logits.length;
  }

  /** -ln p of `ids`, of what is in the running. */
  surprises(): Float64Array {
    const ids = this.ids();
    const all = this.#top + Math.log(this.total());
    const surprises = new Float64Array(ids.length);
    for (let at = 0; at < ids.length; at++) surprises[at] = all - this.#logits[ids[at]];
    return surprises;
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

  /** Standard deviation of all logits that are not forbidden. */
  deviation(): number {
    const logits = this.#logits.filter(Number.isFinite);
    const mean = logits.reduce((sum, logit) => sum + logit, 0) / logits.length;
    return Math.sqrt(logits.reduce((sum, logit) => sum + (logit - mean) ** 2, 0) / logits.length);
  }

  /** Keeps the given ids. Only behind filters that rank: there is no ranking of these. */
  keepOnly(ids: Int32Array): void {
    this.#chosen = ids;
  }

  #rank(count: number): void {
    if (this.#ranked.length < count) this.#ranked = ranked(this.#logits, count);
  }

  /** Weights of `ids`. */
  #weightsLeft(): Float64Array {
    const logits = this.#logits;
    const top = this.#top;
    const isWhole = this.#kept === undefined && !this.#chosen;
    if (isWhole && this.#weights) return this.#weights;
    const ids = this.ids();
    const weights = new Float64Array(ids.length);
    for (let at = 0; at < ids.length; at++) weights[at] = expBelow0(logits[ids[at]] - top);
    if (isWhole) this.#weights = weights;
    return weights;
  }
}

/** 0, 1, 2, …: of the vocabulary that was asked for last. Not to be changed. */
let every = new Int32Array();

function everyId(count: number): Int32Array {
  if (every.length !== count) every = new Int32Array(count).map((_, id) => id);
  return every;
}
