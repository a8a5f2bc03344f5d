/** Statistics and the bootstrap, against numbers that can be checked by hand and against slow independent versions. */
import { expect, test } from 'vitest';
import { normal, uniform } from '../../test/random.ts';
import { ordered, resample, resampledPercentiles, spread } from './bootstrap.ts';
import { type BaseColumns, emptyScores, type Scores } from './scores.ts';
import { covarianceOfMeans, meanWithError, percentile, shareWithError } from './statistics.ts';
import { difference, type FigureName, summarize } from './summary.ts';

test('the mean of 1, 2, 3, 4 is 2.5 with a standard error of sqrt(5/12)', () => {
  const { value, se } = meanWithError(Float64Array.of(1, 2, 3, 4));
  expect(value).toBe(2.5);
  expect(se).toBeCloseTo(Math.sqrt(5 / 12), 15);
});

test('a single value has a mean and no error', () => {
  expect(meanWithError(Float64Array.of(7))).toEqual({ value: 7, se: Number.NaN });
});

test('the covariance of the means of (1, 2, 3) and (3, 2, 1) is -1/3', () => {
  expect(covarianceOfMeans(Float64Array.of(1, 2, 3), Float64Array.of(3, 2, 1))).toBeCloseTo(-1 / 3, 15);
});

test('half of 101 tokens has a binomial error of 5 %', () => {
  expect(shareWithError(0.5, 101).se).toBeCloseTo(0.05, 15);
});

test('percentiles are linear between the values at rank (n - 1) * p', () => {
  const sorted = Float64Array.of(10, 20, 30, 40, 60);
  expect([0, 0.25, 0.5, 0.6, 0.99, 1].map((p) => percentile(sorted, p))).toEqual([
    10,
    20,
    30,
    expect.closeTo(34, 12),
    expect.closeTo(59.2, 12),
    60,
  ]);
});

test('a replicate draws as many chunks as there are, and every run draws the same', () => {
  const [first, again] = [resample(12, 50), resample(12, 50)];
  expect(first).toEqual(again);
  expect(first.every((counts) => counts.reduce((a, b) => a + b, 0) === 12)).toBe(true);
  expect(resample(12, 50, 1)).not.toEqual(first);
  expect(resample(1)).toEqual([]);
});

test('percentiles of a replicate equal those of the sample written out with its repetitions', () => {
  const random = uniform(5);
  const values = Float64Array.from({ length: 200 }, random);
  const chunkOf = Uint32Array.from({ length: 200 }, (_, i) => Math.floor(i / 20));
  const shares = [0, 0.001, 0.3, 0.5, 0.9, 0.999, 1];
  const order = ordered(values, chunkOf);
  for (const counts of resample(10, 40)) {
    const written = [...values].flatMap((value, i) => Array<number>(counts[chunkOf[i]]).fill(value));
    const sorted = Float64Array.from(written).sort();
    expect(resampledPercentiles(order, counts, shares)).toEqual(shares.map((p) => percentile(sorted, p)));
  }
});

test('a spread holds 95 of 100 replicates', () => {
  const seen = spread(Float64Array.from({ length: 1001 }, (_, i) => i / 1000));
  expect(seen?.low).toBeCloseTo(0.025, 12);
  expect(seen?.high).toBeCloseTo(0.975, 12);
  // A uniform distribution over 1 has a deviation of 1/sqrt(12).
  expect(seen?.se).toBeCloseTo(1 / Math.sqrt(12), 3);
});

/** Four tokens in two chunks. */
function smallScores(): Scores & { readonly base: BaseColumns } {
  const base: BaseColumns = {
    baseNll: Float64Array.of(1, 2, 3, 2),
    divergence: Float64Array.of(0.1, 0.2, 0.3, 0.4),
    sameTop: Float64Array.of(1, 1, 0, 1),
    p: Float64Array.of(0.3, 0.2, 0.1, 0.4),
    baseP: Float64Array.of(0.4, 0.2, 0.2, 0.3),
  };
  return { ...emptyScores(2, 2, false), nll: Float64Array.of(1.5, 2, 3.5, 2), base };
}

test('figures of four tokens are those worked out by hand', () => {
  const { figures } = summarize(smallScores(), resample(2));
  const value = (name: FigureName): number => figures.get(name)?.value ?? Number.NaN;
  const error = (name: FigureName): number => figures.get(name)?.se ?? Number.NaN;
  // nll sums to 9, base nll to 8.
  expect(value('ppl')).toBeCloseTo(Math.exp(2.25), 12);
  expect(value('base_ppl')).toBeCloseTo(Math.exp(2), 12);
  expect(value('ln_ppl_ratio')).toBeCloseTo(0.25, 12);
  expect(value('ppl_ratio')).toBeCloseTo(Math.exp(0.25), 12);
  expect(value('ppl_difference')).toBeCloseTo(Math.exp(2.25) - Math.exp(2), 12);
  // Differences of nll are 0.5, 0, 0.5, 0: variance 1/12, so the mean's is 1/48.
  expect(error('ln_ppl_ratio')).toBeCloseTo(Math.sqrt(1 / 48), 12);
  expect(value('kld_mean')).toBeCloseTo(0.25, 12);
  expect(value('kld_median')).toBeCloseTo(0.25, 12);
  expect(value('kld_max')).toBe(0.4);
  expect(value('kld_p90')).toBeCloseTo(0.37, 12);
  // Changes of the probability are -0.1, 0, -0.1, 0.1.
  expect(value('dp_mean')).toBeCloseTo(-0.025, 12);
  expect(value('rms_dp')).toBeCloseTo(Math.sqrt(0.03 / 4), 12);
  expect(value('same_top')).toBe(0.75);
  expect(error('same_top')).toBeCloseTo(Math.sqrt((0.75 * 0.25) / 3), 12);
  // Deviations of nll (-0.75, -0.25, 1.25, -0.25) and base nll (-1, 0, 1, 0).
  expect(value('ppl_correlation')).toBeCloseTo(2 / Math.sqrt(2.25 * 2), 12);
});

test('the error of the perplexity difference knows that both saw the same text', () => {
  const gauss = normal(9);
  const scores = { ...emptyScores(10, 100, true) };
  const { base } = scores;
  if (!base) throw new Error('no base');
  for (let i = 0; i < 1000; i++) {
    base.baseNll[i] = 3 + gauss();
    scores.nll[i] = base.baseNll[i] + 0.01 * gauss();
  }
  const { figures } = summarize(scores, resample(10));
  // Alone, each perplexity of about 33 is uncertain by 3 % or 1; their difference by 0.01 / sqrt(1000) of it.
  expect(figures.get('ppl')?.se).toBeGreaterThan(0.5);
  expect(figures.get('ppl_difference')?.se).toBeLessThan(0.04);
});

test('errors of independent tokens agree between formula and bootstrap', () => {
  const gauss = normal(3);
  const scores = emptyScores(200, 20, true);
  const { base } = scores;
  if (!base) throw new Error('no base');
  for (let i = 0; i < 4000; i++) {
    scores.nll[i] = 3 + gauss();
    base.baseNll[i] = 3 + gauss();
    base.divergence[i] = gauss() ** 2;
    base.sameTop[i] = gauss() > 0.5 ? 1 : 0;
    base.p[i] = 0.01 * gauss();
  }
  const { figures, replicates } = summarize(scores, resample(200));
  const names: FigureName[] = [
    'ppl',
    'base_ppl',
    'ln_ppl_ratio',
    'ppl_difference',
    'kld_mean',
    'rms_dp',
    'same_top',
  ];
  for (const name of names) {
    const formula = figures.get(name)?.se ?? Number.NaN;
    const drawn = spread(replicates.get(name) ?? new Float64Array())?.se ?? Number.NaN;
    // 1000 replicates of 200 chunks: within 15 %.
    expect(drawn / formula, name).toBeGreaterThan(0.85);
    expect(drawn / formula, name).toBeLessThan(1.15);
  }
});

test('a difference between two models on the same tokens is paired', () => {
  const gauss = normal(4);
  const scoresOf = (shift: number, noise: () => number): Scores => {
    const scores = emptyScores(50, 20, true);
    scores.base?.divergence.forEach((_, i, all) => {
      // What the text does to both is a hundred times what parts them.
      all[i] = 1 + (Math.floor(i / 20) % 7) + shift + 0.01 * noise();
    });
    return scores;
  };
  const resamples = resample(50);
  const [a, b] = [0.01, 0].map((shift) => summarize(scoresOf(shift, gauss), resamples));
  const { value, interval } = difference('kld_mean', a, b);
  expect(value).toBeCloseTo(0.01, 2);
  expect(interval?.[0]).toBeGreaterThan(0.005);
  expect(interval?.[1]).toBeLessThan(0.015);
});

test('one chunk has figures and formula errors, but no intervals', () => {
  const scores = smallScores();
  const { figures } = summarize({ ...scores, windows: 1, windowOf: new Uint32Array(4) }, resample(1));
  expect(figures.get('kld_mean')?.interval).toBeUndefined();
  expect(figures.get('kld_mean')?.se).toBeGreaterThan(0);
  expect(figures.get('kld_p99')?.se).toBeNaN();
});
