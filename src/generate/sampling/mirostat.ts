/**
 * Mirostat 2 (Basu et al. 2021, arXiv:2007.14966): keeps the surprise of what is drawn near a target, by cutting off all
 * tokens that surprise more than a bound, which moves with what was drawn.
 */
import type { Candidates } from './candidates.ts';

export class Mirostat {
  readonly #target: number;
  readonly #rate: number;
  #bound: number;

  /** @param target bits of surprise, tau. @param rate how fast the bound follows, eta. */
  constructor(target: number, rate: number) {
    this.#target = target;
    this.#rate = rate;
    this.#bound = 2 * target;
  }

  /** Most bits of surprise that a token may have now, mu. */
  get bound(): number {
    return this.#bound;
  }

  /** Draws, and moves the bound. @param share a random number from 0 to below 1. */
  draw(candidates: Candidates, share: number): number {
    const least = candidates.total() * 2 ** -this.#bound;
    candidates.keepWhile((weight) => weight >= least);
    const id = candidates.draw(share);
    const surprise = -Math.log2(candidates.weight(id) / candidates.total());
    this.#bound -= this.#rate * (surprise - this.#target);
    return id;
  }
}
