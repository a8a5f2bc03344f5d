/**
 * What the measured losses say about choosing: which files no other beats in both size and loss, and how large a loss is
 * in words. The words are tied to numbers that were measured on this model, not to the names of the types.
 */
import { figure } from './numbers.ts';
import type { QuantEntry } from './quant-set.ts';

/** A quant whose divergence was measured. */
export interface Loss {
  readonly quant: QuantEntry;
  /** Mean KL divergence from the original, nats a token. */
  readonly kld: number;
  readonly se: number | undefined;
  /** Share of tokens where both find the same token most likely, 0 to 1. */
  readonly sameTop: number | undefined;
}

/** Odds at which an observer is taken to know which model wrote a text. */
export const ODDS = 20;

/** How a loss is called: at least so many tokens until it is noticed, at least such a share of equal first choices. */
export const GRADES = [
  { name: 'indistinguishable', tokens: 1000, sameTop: 0.97 },
  { name: 'hardly noticeable', tokens: 100, sameTop: 0.9 },
  { name: 'noticeable', tokens: 20, sameTop: 0.8 },
  { name: 'strong', tokens: 5, sameTop: 0.6 },
  { name: 'broken', tokens: 0, sameTop: 0 },
] as const;

export type Grade = (typeof GRADES)[number];

export function lossOf(quant: QuantEntry): Loss | undefined {
  const kld = figure(quant.figures, 'kld_mean');
  if (kld === undefined) return undefined;
  const { figures } = quant;
  return { quant, kld, se: figure(figures, 'kld_mean_se'), sameTop: figure(figures, 'same_top') };
}

/** Largest divergence of a grade: each token of a text adds that much to the logarithm of the odds, on average. */
export function largestKld({ tokens }: Grade): number {
  return tokens > 0 ? Math.log(ODDS) / tokens : Number.POSITIVE_INFINITY;
}

/** The worse of what divergence and equal first choices say. */
export function gradeOf({ kld, sameTop }: Loss): Grade {
  const found = GRADES.find((grade) => kld <= largestKld(grade) && (sameTop ?? 1) >= grade.sameTop);
  return found ?? GRADES[GRADES.length - 1];
}

/** Smaller or closer to the original, and not worse in the other. */
function beats(a: Loss, b: Loss): boolean {
  const [size, loss] = [a.quant.bytes - b.quant.bytes, a.kld - b.kld];
  return size <= 0 && loss <= 0 && (size < 0 || loss < 0);
}

/** The Pareto front of size and divergence: what no other beats; smallest first. */
export function paretoFront(losses: readonly Loss[]): Loss[] {
  return losses
    .filter((one) => !losses.some((other) => beats(other, one)))
    .sort((a, b) => a.quant.bytes - b.quant.bytes);
}

/** The closest to the original of all that beat this one. */
export function beatenBy(one: Loss, losses: readonly Loss[]): Loss | undefined {
  return losses.filter((other) => beats(other, one)).sort((a, b) => a.kld - b.kld)[0];
}

/** The smallest file of that grade or a better one. */
export function smallestOf(grade: Grade, losses: readonly Loss[]): Loss | undefined {
  const least = GRADES.indexOf(grade);
  return losses
    .filter((loss) => GRADES.indexOf(gradeOf(loss)) <= least)
    .sort((a, b) => a.quant.bytes - b.quant.bytes)[0];
}
