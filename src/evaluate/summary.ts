/**
 * The figures of a measurement: those that llama.cpp's tool prints, each with a standard error and, from the block
 * bootstrap, the interval that holds 95 % of the replicates. Probabilities and shares are from 0 to 1, divergences
 * and logarithms in nats. `dp` is the change of the probability of the text's next token: model minus base.
 */
import { CONFIDENCE, ordered, type Resamples, replicate, resampledPercentiles, spread } from './bootstrap.ts';
import type { BaseColumns, Scores } from './scores.ts';
import { covarianceOfMeans, type Estimate, meanWithError, percentile, shareWithError } from './statistics.ts';

export { CONFIDENCE };

/** What the figures that are no percentiles are made of: sums over tokens of these. */
const MOMENTS = {
  n: () => 1,
  nll: (s, i) => s.nll[i],
  nll2: (s, i) => s.nll[i] ** 2,
  base: (s, i) => s.base.baseNll[i],
  base2: (s, i) => s.base.baseNll[i] ** 2,
  cross: (s, i) => s.nll[i] * s.base.baseNll[i],
  divergence: (s, i) => s.base.divergence[i],
  same: (s, i) => s.base.sameTop[i],
  dp: (s, i) => s.base.p[i] - s.base.baseP[i],
  dp2: (s, i) => (s.base.p[i] - s.base.baseP[i]) ** 2,
} as const satisfies Record<string, (scores: PairedScores, i: number) => number>;

type MomentName = keyof typeof MOMENTS;
type Totals = Readonly<Record<MomentName, number>>;
type PairedScores = Scores & { readonly base: BaseColumns };

/** Figures as functions of the sums. */
const OF_TOTALS = {
  base_ppl: (t) => Math.exp(t.base / t.n),
  ppl_correlation: (t) =>
    (t.n * t.cross - t.nll * t.base) / Math.sqrt((t.n * t.nll2 - t.nll ** 2) * (t.n * t.base2 - t.base ** 2)),
  ln_ppl_ratio: (t) => (t.nll - t.base) / t.n,
  ppl_ratio: (t) => Math.exp((t.nll - t.base) / t.n),
  ppl_difference: (t) => Math.exp(t.nll / t.n) - Math.exp(t.base / t.n),
  kld_mean: (t) => t.divergence / t.n,
  dp_mean: (t) => t.dp / t.n,
  rms_dp: (t) => Math.sqrt(t.dp2 / t.n),
  same_top: (t) => t.same / t.n,
} as const satisfies Record<string, (totals: Totals) => number>;

/** Ascending, as `resampledPercentiles` wants them. */
const KLD_SHARES = {
  kld_min: 0,
  kld_p001: 0.001,
  kld_p01: 0.01,
  kld_p05: 0.05,
  kld_p10: 0.1,
  kld_median: 0.5,
  kld_p90: 0.9,
  kld_p95: 0.95,
  kld_p99: 0.99,
  kld_p999: 0.999,
  kld_max: 1,
} as const;

const DP_SHARES = {
  dp_min: 0,
  dp_p001: 0.001,
  dp_p01: 0.01,
  dp_p05: 0.05,
  dp_p10: 0.1,
  dp_p25: 0.25,
  dp_median: 0.5,
  dp_p75: 0.75,
  dp_p90: 0.9,
  dp_p95: 0.95,
  dp_p99: 0.99,
  dp_p999: 0.999,
  dp_max: 1,
} as const;

export type FigureName = 'ppl' | keyof typeof OF_TOTALS | keyof typeof KLD_SHARES | keyof typeof DP_SHARES;

/** A figure with its error: by formula where there is one, else of the bootstrap; NaN where there is neither. */
export interface Figure extends Estimate {
  /** Ends of the bootstrap's interval; undefined for a single chunk. */
  readonly interval: readonly [number, number] | undefined;
}

export interface Summary {
  readonly scores: Scores;
  readonly figures: ReadonlyMap<FigureName, Figure>;
  /** Every figure in every replicate, for differences between models. */
  readonly replicates: ReadonlyMap<FigureName, Float64Array>;
}

/** Errors that follow from the variances and covariances of the means, tokens taken as independent. */
function formulaErrors(scores: PairedScores): ReadonlyMap<FigureName, number> {
  const { nll, base } = scores;
  const n = nll.length;
  const [own, other] = [meanWithError(nll), meanWithError(base.baseNll)];
  const [ppl, basePpl] = [Math.exp(own.value), Math.exp(other.value)];
  const ratio = meanWithError(nll.map((value, i) => value - base.baseNll[i]));
  const covariance = covarianceOfMeans(nll, base.baseNll);
  const change = base.p.map((p, i) => p - base.baseP[i]);
  const square = meanWithError(change.map((value) => value ** 2));
  const same = shareWithError(base.sameTop.reduce((a, b) => a + b, 0) / n, n);
  return new Map<FigureName, number>([
    ['base_ppl', basePpl * other.se],
    ['ln_ppl_ratio', ratio.se],
    ['ppl_ratio', Math.exp(ratio.value) * ratio.se],
    [
      'ppl_difference',
      Math.sqrt((ppl * own.se) ** 2 + (basePpl * other.se) ** 2 - 2 * ppl * basePpl * covariance),
    ],
    ['kld_mean', meanWithError(base.divergence).se],
    ['dp_mean', meanWithError(change).se],
    // By the chain rule from the mean square; a model equal to its base has no change at all.
    ['rms_dp', square.value === 0 ? 0 : square.se / (2 * Math.sqrt(square.value))],
    ['same_top', same.se],
  ]);
}

/** Sums of the moments over each window. */
function windowSums(scores: PairedScores): Record<MomentName, Float64Array> {
  const names = Object.keys(MOMENTS) as MomentName[];
  return Object.fromEntries(
    names.map((name) => {
      const sums = new Float64Array(scores.windows);
      for (let i = 0; i < scores.nll.length; i++) sums[scores.windowOf[i]] += MOMENTS[name](scores, i);
      return [name, sums];
    }),
  ) as Record<MomentName, Float64Array>;
}

/** @param counts how often each window counts. */
function totalsOf(sums: Readonly<Record<MomentName, Float64Array>>, counts: Uint16Array): Totals {
  const entries = Object.entries(sums).map(([name, values]) => [
    name,
    values.reduce((total, value, i) => total + value * counts[i], 0),
  ]);
  return Object.fromEntries(entries) as Totals;
}

/** Adds figures with their replicates, one statistic after the other. */
class Collector {
  readonly figures = new Map<FigureName, Figure>();
  readonly replicates = new Map<FigureName, Float64Array>();

  /** @param formula the error by formula, if there is one. */
  add(name: FigureName, value: number, replicates: Float64Array, formula?: number): void {
    const seen = spread(replicates);
    this.replicates.set(name, replicates);
    this.figures.set(name, {
      value,
      se: formula ?? seen?.se ?? Number.NaN,
      interval: seen && [seen.low, seen.high],
    });
  }
}

function addPercentiles(
  into: Collector,
  shares: Readonly<Partial<Record<FigureName, number>>>,
  values: Float64Array,
  windowOf: Uint32Array,
  resamples: Resamples,
): void {
  const order = ordered(values, windowOf);
  const ranks = Object.values(shares);
  const drawn = resamples.map((counts) => resampledPercentiles(order, counts, ranks));
  Object.keys(shares).forEach((name, i) => {
    const replicates = Float64Array.from(drawn, (row) => row[i]);
    into.add(name as FigureName, percentile(order.values, ranks[i]), replicates);
  });
}

function addAgainstBase(into: Collector, scores: PairedScores, resamples: Resamples): void {
  const sums = windowSums(scores);
  const all = totalsOf(sums, new Uint16Array(scores.windows).fill(1));
  const drawn = resamples.map((counts) => totalsOf(sums, counts));
  const errors = formulaErrors(scores);
  for (const [key, figure] of Object.entries(OF_TOTALS)) {
    const name = key as FigureName;
    into.add(name, figure(all), Float64Array.from(drawn, figure), errors.get(name));
  }
  const { base, windowOf } = scores;
  const change = base.p.map((p, i) => p - base.baseP[i]);
  addPercentiles(into, KLD_SHARES, base.divergence, windowOf, resamples);
  addPercentiles(into, DP_SHARES, change, windowOf, resamples);
}

/** Perplexity with its error by formula. */
export function perplexity(nll: Float64Array): Estimate {
  const { value, se } = meanWithError(nll);
  return { value: Math.exp(value), se: Math.exp(value) * se };
}

function addPerplexity(into: Collector, { nll, windowOf, windows }: Scores, resamples: Resamples): void {
  const [sums, sizes] = [new Float64Array(windows), new Float64Array(windows)];
  nll.forEach((value, i) => {
    sums[windowOf[i]] += value;
    sizes[windowOf[i]]++;
  });
  const drawn = replicate(resamples, (counts) => {
    const weigh = (values: Float64Array): number =>
      values.reduce((sum, value, i) => sum + value * counts[i], 0);
    return Math.exp(weigh(sums) / weigh(sizes));
  });
  const { value, se } = perplexity(nll);
  into.add('ppl', value, drawn, se);
}

/** @param resamples of the scores' windows; the same for all models that are to be compared. */
export function summarize(scores: Scores, resamples: Resamples): Summary {
  const into = new Collector();
  addPerplexity(into, scores, resamples);
  const { base } = scores;
  if (base) addAgainstBase(into, { ...scores, base }, resamples);
  return { scores, figures: into.figures, replicates: into.replicates };
}

/** A figure of the first model minus that of the second, paired: both saw the same tokens and the same draws. */
export function difference(name: FigureName, a: Summary, b: Summary): Figure {
  const [own, other] = [a.replicates.get(name), b.replicates.get(name)];
  const seen = own && other && spread(own.map((value, i) => value - other[i]));
  const value = (a.figures.get(name)?.value ?? Number.NaN) - (b.figures.get(name)?.value ?? Number.NaN);
  return { value, se: seen?.se ?? Number.NaN, interval: seen && [seen.low, seen.high] };
}
