/** How the next token is chosen. */
import { usageError } from '../../core/index.ts';

export interface SamplingOptions {
  /** Divides the logits; 0: always the most likely token, and no filter matters. */
  readonly temperature: number;
  /** Only so many of the most likely tokens; 0: all. */
  readonly topK: number;
  /** Only the fewest most likely tokens that have this share of the probability together; 1: all. */
  readonly topP: number;
  /** Only tokens at least this many times as likely as the most likely one; 0: all. */
  readonly minP: number;
  /** Only the tokens whose surprise is nearest to the expected one, up to this share together; 1: all. */
  readonly typicalP: number;
  /** Only tokens whose logit is at most so many standard deviations below the largest; 0: all (Tang et al. 2024). */
  readonly topNSigma: number;
  /** How often XTC (p-e-w) takes the likeliest tokens away, so that only the last of them is left; 0: never. */
  readonly xtcProbability: number;
  /** What XTC calls likely: a probability of at least this. Above 0.5 there are never two. */
  readonly xtcThreshold: number;
  /** Bits of surprise that Mirostat 2 aims at, in place of all filters; 0: no Mirostat. */
  readonly mirostatTau: number;
  /** How fast Mirostat follows. */
  readonly mirostatEta: number;
  /** DRY: what a token loses that goes on a sequence of the allowed length; 0: nothing. See `dry.ts`. */
  readonly dryMultiplier: number;
  /** Times this for each token more. */
  readonly dryBase: number;
  /** Length in tokens from which a sequence counts. */
  readonly dryAllowedLength: number;
  /** Only so many of the last tokens are looked at; 0: all. */
  readonly dryRange: number;
  /** Texts that end sequences: every token that holds one does. */
  readonly dryBreakers: readonly string[];
  /** Divides (multiplies, below zero) the logits of tokens that were seen, prompt included; 1: none (Keskar 2019). */
  readonly repetitionPenalty: number;
  /** Subtracted from the logits of tokens that were generated before; 0: none (OpenAI's API). */
  readonly presencePenalty: number;
  /** The same, times how often; 0: none. */
  readonly frequencyPenalty: number;
  /** Added to the logits of single tokens; -Infinity forbids one. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Of the random numbers; undefined: another one every time. */
  readonly seed: number | undefined;
}

/** Greedy, and nothing bent. */
export const GREEDY: SamplingOptions = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  topNSigma: 0,
  xtcProbability: 0,
  xtcThreshold: 0.1,
  mirostatTau: 0,
  mirostatEta: 0.1,
  dryMultiplier: 0,
  dryBase: 1.75,
  dryAllowedLength: 2,
  dryRange: 0,
  dryBreakers: ['\n', ':', '"', '*'],
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
  seed: undefined,
};

interface Range {
  readonly least: number;
  readonly most: number;
  readonly whole?: boolean;
  /** Whether `least` itself is outside. */
  readonly above?: boolean;
}

/** Options that are one number. */
export type NumberOption = Exclude<keyof SamplingOptions, 'logitBias' | 'dryBreakers'>;

/** What is allowed. Penalties as in OpenAI's API; a temperature above 100 is uniform for every use. */
export const SAMPLING_RANGES = {
  temperature: { least: 0, most: 100 },
  topK: { least: 0, most: 2 ** 31 - 1, whole: true },
  topP: { least: 0, most: 1, above: true },
  minP: { least: 0, most: 1 },
  typicalP: { least: 0, most: 1, above: true },
  topNSigma: { least: 0, most: 100 },
  xtcProbability: { least: 0, most: 1 },
  xtcThreshold: { least: 0, most: 1 },
  mirostatTau: { least: 0, most: 100 },
  mirostatEta: { least: 0, most: 1 },
  dryMultiplier: { least: 0, most: 100 },
  dryBase: { least: 1, most: 10 },
  dryAllowedLength: { least: 1, most: 10_000, whole: true },
  dryRange: { least: 0, most: 2 ** 31 - 1, whole: true },
  repetitionPenalty: { least: 0, most: 100, above: true },
  presencePenalty: { least: -100, most: 100 },
  frequencyPenalty: { least: -100, most: 100 },
  seed: { least: 0, most: Number.MAX_SAFE_INTEGER, whole: true },
} as const satisfies Record<NumberOption, Range>;

/** @throws usage error: the option, what was found, what is allowed. */
export function checkSampling(options: SamplingOptions): void {
  for (const [name, range] of Object.entries(SAMPLING_RANGES) as [NumberOption, Range][]) {
    const value = options[name];
    if (value === undefined) continue;
    const { least, most, whole = false, above = false } = range;
    const fits = value <= most && (above ? value > least : value >= least);
    if (fits && (!whole || Number.isInteger(value))) continue;
    const kind = whole ? 'a whole number' : 'a number';
    throw usageError(`${name}: ${value} is not ${kind} ${above ? 'above' : 'from'} ${least} to ${most}`);
  }
  for (const [id, bias] of options.logitBias) {
    if (Number.isNaN(bias) || bias === Number.POSITIVE_INFINITY) {
      throw usageError(`logitBias of token ${id}: ${bias} is no finite number or -Infinity`);
    }
  }
}
