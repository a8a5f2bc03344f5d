import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largest, mostLikely, Sampler, type SamplingOptions } from './index.ts';
import { seededRandom } from './random.ts';

/** Logits of these probabilities. */
const logitsOf = (...p: number[]) => Float32Array.from(p, Math.log);

/** How often each id is drawn in 4000 draws without memory of what was drawn. */
function counts(logits: Float32Array, options: Partial<SamplingOptions>): number[] {
  const sampler = new Sampler({ temperature: 1, seed: 7, ...options });
  const drawn = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < 4000; i++) drawn[sampler.next(logits)]++;
  return drawn;
}

/** Four standard deviations of a count of 4000. */
const near = (count: number, p: number) => Math.abs(count - 4000 * p) <= 4 * Math.sqrt(4000 * p * (1 - p));

describe('the ranking', () => {
  it('is that of a whole sort, the lower id first where logits are equal', () => {
    const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.float({ noNaN: true }));
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 70 }),
        (all, n) => {
          const logits = Float32Array.from(all);
          const ids = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
          expect([...largest(logits, n)]).toEqual(ids.slice(0, n));
          expect(mostLikely(logits)).toBe(ids[0]);
        },
      ),
    );
  });

  it('puts NaN last', () => {
    expect([...largest(Float32Array.of(Number.NaN, -5, 3), 2)]).toEqual([2, 1]);
    expect(mostLikely(Float32Array.of(Number.NaN, -5, 3))).toBe(2);
  });
});

describe('a sampler', () => {
  const logits = logitsOf(0.125, 0.5, 0.25, 0.125);

  it('takes the most likely token at temperature 0, whatever else is set', () => {
    expect(counts(logits, { temperature: 0, topP: 0.1 })).toEqual([0, 4000, 0, 0]);
  });

  it('draws tokens as often as the model says', () => {
    const drawn = counts(logits, {});
    [0.125, 0.5, 0.25, 0.125].forEach((p, id) => void expect(near(drawn[id], p), `${id}`).toBe(true));
  });

  it('squares probabilities at temperature 0.5', () => {
    // 1/64, 16/64, 4/64, 1/64 over their sum 22/64.
    const drawn = counts(logits, { temperature: 0.5 });
    [1 / 22, 16 / 22, 4 / 22, 1 / 22].forEach((p, id) => void expect(near(drawn[id], p), `${id}`).toBe(true));
  });

  it('keeps two tokens with top_k 2, in their proportion', () => {
    const drawn = counts(logits, { topK: 2 });
    expect([drawn[0], drawn[3]]).toEqual([0, 0]);
    expect(near(drawn[1], 2 / 3)).toBe(true);
  });

  it.each([
    [0.4, [1]],
    [0.6, [1, 2]],
    [0.8, [0, 1, 2]],
    [1, [0, 1, 2, 3]],
  ])('keeps with top_p %d the fewest that reach it: %j', (topP, ids) => {
    const drawn = counts(logits, { topP });
    expect(drawn.flatMap((count, id) => (count > 0 ? [id] : []))).toEqual(ids);
  });

  it('applies top_p to what top_k left: of 0.5 and 0.25 the first has two thirds', () => {
    expect(counts(logits, { topK: 2, topP: 0.66 })).toEqual([0, 4000, 0, 0]);
  });

  it('keeps with min_p 0.4 what is 0.4 times as likely as the best', () => {
    const drawn = counts(logits, { minP: 0.4 });
    expect(drawn.flatMap((count, id) => (count > 0 ? [id] : []))).toEqual([1, 2]);
  });

  it('keeps with typical_p first what is as surprising as expected, not what is likeliest', () => {
    // p .6 .3 .1: entropy .898 nats; surprises .511, 1.204, 2.303: the second is nearest.
    expect(counts(logitsOf(0.6, 0.3, 0.1), { typicalP: 0.25 })).toEqual([0, 4000, 0]);
  });

  it('looks as far down a large vocabulary as top_p asks', () => {
    // 1000 equal tokens: 0.5 keeps 500 of them, the lowest ids.
    const drawn = counts(new Float32Array(1000), { topP: 0.5 });
    expect(drawn.slice(500).every((count) => count === 0)).toBe(true);
    expect(drawn.slice(0, 500).filter((count) => count > 0).length).toBeGreaterThan(490);
  });

  it('divides positive and multiplies negative logits of tokens that were seen', () => {
    const sampler = new Sampler({ repetitionPenalty: 2 });
    sampler.prompt([0]);
    expect(sampler.next(Float32Array.of(3, 2, -1))).toBe(1); // 1.5 against 2; 1 is seen now
    expect(sampler.next(Float32Array.of(-1, -2.2, -2.1))).toBe(0); // -2, -4.4, -2.1
  });

  it('subtracts presence once and frequency each time, of generated tokens only', () => {
    const sampler = new Sampler({ presencePenalty: 1, frequencyPenalty: 0.5 });
    sampler.prompt([0]);
    expect(sampler.next(Float32Array.of(2, 1.2))).toBe(0);
    expect(sampler.next(Float32Array.of(2, 0.4))).toBe(0); // 2 - 1.5
    expect(sampler.next(Float32Array.of(2, 0.1))).toBe(1); // 2 - 2
  });

  it('adds the bias of a token, and forbids with minus infinity', () => {
    const logitBias = new Map([
      [0, Number.NEGATIVE_INFINITY],
      [2, 5],
    ]);
    expect(new Sampler({ logitBias }).next(Float32Array.of(9, 3, 1))).toBe(2);
  });

  it('gives the same tokens for the same seed, others for another', () => {
    const draw = (seed: number) => {
      const sampler = new Sampler({ temperature: 1, seed });
      return Array.from({ length: 40 }, () => sampler.next(logits)).join('');
    };
    expect(draw(5)).toBe(draw(5));
    expect(draw(5)).not.toBe(draw(6));
    expect(draw(5)).not.toBe(draw(5 + 2 ** 32));
  });

  it.each([
    [{ topP: 0 }, 'topP: 0 is not a number above 0 to 1'],
    [{ temperature: -1 }, 'temperature: -1 is not a number from 0 to 100'],
    [{ topK: 1.5 }, 'topK: 1.5 is not a whole number from 0 to 2147483647'],
    [{ minP: Number.NaN }, 'minP: NaN is not a number from 0 to 1'],
  ])('refuses %j', (options, message) => {
    expect(() => new Sampler(options)).toThrow(message);
  });
});

it('random numbers fill [0, 1) evenly', () => {
  const random = seededRandom(1);
  const bins = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) bins[Math.floor(16 * random())]++;
  // Chi-square of 15 degrees of freedom: above 37.7 once in a thousand.
  expect(bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(37.7);
});
