/** Chooses the next token of a sequence from its logits, and remembers what was seen. */
import { BitmillError } from '../../core/index.ts';
import { Candidates } from './candidates.ts';
import type { Constraint } from './constraint.ts';
import { breakerIds, dryPenalties, type PieceTokenizer } from './dry.ts';
import { FILTERS } from './filters.ts';
import { Mirostat } from './mirostat.ts';
import { checkSampling, GREEDY, type SamplingOptions } from './options.ts';
import { seededRandom } from './random.ts';
import { mostLikely } from './ranking.ts';

const NO_PENALTIES: ReadonlyMap<number, number> = new Map();

export class Sampler {
  readonly #options: SamplingOptions;
  readonly #random: () => number;
  readonly #seen = new Set<number>();
  readonly #generated = new Map<number, number>();

  /** All tokens, where something looks at their order. */
  readonly #history: number[] = [];
  readonly #breakers: ReadonlySet<number>;
  readonly #mirostat: Mirostat | undefined;

  /**
   * @param tokenizer finds the tokens that break the sequences of DRY; without it none do.
   * @throws usage error: an option outside of what is allowed.
   */
  constructor(options: Partial<SamplingOptions> = {}, tokenizer: PieceTokenizer = {}) {
    this.#options = { ...GREEDY, ...options };
    checkSampling(this.#options);
    const { mirostatTau, mirostatEta, dryMultiplier, dryBreakers } = this.#options;
    this.#mirostat = mirostatTau > 0 ? new Mirostat(mirostatTau, mirostatEta) : undefined;
    this.#breakers = dryMultiplier > 0 ? breakerIds(tokenizer, dryBreakers) : new Set();
    this.#random = seededRandom(this.#options.seed ?? Math.floor(Math.random() * Number.MAX_SAFE_INTEGER));
  }

  /** Tokens of the prompt count for the repetition penalty and DRY, not for the other two. */
  prompt(ids: Iterable<number>): void {
    for (const id of ids) this.#see(id);
  }

  /**
   * The next token, which counts as generated from now on.
   * @param logits f32 [V]; not changed.
   * @param constraint forbids tokens before anything else looks at them.
   */
  next(logits: Float32Array, constraint?: Constraint): number {
    const id = constraint ? this.#constrained(logits, constraint) : this.#pick(logits);
    this.#see(id);
    this.#generated.set(id, (this.#generated.get(id) ?? 0) + 1);
    return id;
  }

  #see(id: number): void {
    this.#seen.add(id);
    if (this.#options.dryMultiplier > 0) this.#history.push(id);
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
    // Where nothing is left, the draw is one of what must not be.
    const isLeft = this.#options.logitBias.get(id) !== Number.NEGATIVE_INFINITY;
    if (isLeft && allowed.has(id)) return id;
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
    const dry =
      this.#options.dryMultiplier > 0
        ? dryPenalties(this.#history, this.#breakers, this.#options)
        : NO_PENALTIES;
    if (!repeats && !counts && logitBias.size === 0 && dry.size === 0) return logits;
    const bent = logits.slice();
    if (repeats) {
      for (const id of this.#seen) bent[id] *= bent[id] > 0 ? 1 / repetitionPenalty : repetitionPenalty;
    }
    if (counts) {
      for (const [id, times] of this.#generated) bent[id] -= presencePenalty + times * frequencyPenalty;
    }
    for (const [id, penalty] of dry) bent[id] -= penalty;
    for (const [id, bias] of logitBias) if (id < bent.length) bent[id] += bias;
    return bent;
  }

  #draw(logits: Float32Array): number {
    const { temperature } = this.#options;
    const candidates = new Candidates(temperature === 1 ? logits : cooled(logits, temperature));
    if (this.#mirostat) return this.#mirostat.draw(candidates, this.#random());
    for (const filter of FILTERS) filter(candidates, this.#options, this.#random);
    return candidates.draw(this.#random());
  }
}

function cooled(logits: Float32Array, temperature: number): Float32Array {
  const scaled = new Float32Array(logits.length);
  for (let id = 0; id < scaled.length; id++) scaled[id] = logits[id] / temperature;
  return scaled;
}
