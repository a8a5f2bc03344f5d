/** Chooses the next token of a sequence from its logits, and remembers what was seen. */
import { BitmillError } from '../../core/index.ts';
import { Candidates } from './candidates.ts';
import type { Constraint } from './constraint.ts';
import { FILTERS } from './filters.ts';
import { checkSampling, GREEDY, type SamplingOptions } from './options.ts';
import { seededRandom } from './random.ts';
import { mostLikely } from './ranking.ts';

export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: () => number;
  readonly #seen = new Set<number>();
  readonly #generated = new Map<number, number>();

  /** @throws usage error: an option outside of what is allowed. */
  constructor(options: Partial<SamplingOptions> = {}) {
    this.#options = { ...GREEDY, ...options };
    checkSampling(this.#options);
    this.#random = seededRandom(this.#options.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER));
  }

  /** Tokens of the prompt count for the repetition penalty, not for the other two. */
  prompt(ids: Iterable<number>): void {
    for (const id of ids) this.#seen.add(id);
  }

  /**
   * The next token, which counts as generated from now on.
   * @param logits f32 [V]; not changed.
   * @param constraint forbids tokens before anything else looks at them.
   */
  next(logits: Float32Array, constraint?: Constraint): number {
    const id = constraint ? this.#constrained(logits, constraint) : this.#pick(logits);
    this.#seen.add(id);
    this.#generated.set(id, (this.#generated.get(id) ?? 0) + 1);
    return id;
  }

  #pick(logits: Float32Array): number {
    const bent = this.#bend(logits);
    return this.#options.temperature === 0 ? mostLikely(bent) : this.#draw(bent);
  }

  /**
   * At temperature 0 the likeliest token is tried before the others are looked at: where it is allowed it is the
   * likeliest of the allowed ones, too. What is drawn is always drawn from the allowed ones alone: a first draw from
   * all would bring in tokens that the filters would have kept from them.
   */
  #constrained(logits: Float32Array, constraint: Constraint): number {
    if (this.#options.temperature === 0) {
      const id = this.#pick(logits);
      if (constraint.allows(id)) return id;
    }
    const allowed = constraint.allowed();
    const masked = new Float32Array(logits.length).fill(Number.NEGATIVE_INFINITY);
    for (let id = 0; id < masked.length; id++) if (allowed.has(id)) masked[id] = logits[id];
    const id = this.#pick(masked);
    if (allowed.has(id)) return id;
    throw new BitmillError(
      'failure',
      'the grammar allows no token that the vocabulary and the logit bias leave',
      {
        hint: 'a vocabulary without the bytes that the grammar asks for cannot follow it',
      },
    );
  }

  /** A copy with bias and penalties where there are any. */
  #bend(logits: Float32Array): Float32Array {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, logitBias } = this.#options;
    const repeats = repetitionPenalty !== 1 && this.#seen.size > 0;
    const counts = (presencePenalty !== 0 || frequencyPenalty !== 0) && this.#generated.size > 0;
    if (!repeats && !counts && logitBias.size === 0) return logits;
    const bent = logits.slice();
    if (repeats) {
      for (const id of this.#seen) bent[id] *= bent[id] > 0 ? 1 / repetitionPenalty : repetitionPenalty;
    }
    if (counts) {
      for (const [id, times] of this.#generated) bent[id] -= presencePenalty + times * frequencyPenalty;
    }
    for (const [id, bias] of logitBias) if (id < bent.length) bent[id] += bias;
    return bent;
  }

  #draw(logits: Float32Array): number {
    const { temperature } = this.#options;
    const candidates = new Candidates(temperature === 1 ? logits : cooled(logits, temperature));
    for (const filter of FILTERS) filter(candidates, this.#options);
    return candidates.draw(this.#random());
  }
}

function cooled(logits: Float32Array, temperature: number): Float32Array {
  const scaled = new Float32Array(logits.length);
  for (let id = 0; id < scaled.length; id++) scaled[id] = logits[id] / temperature;
  return scaled;
}
