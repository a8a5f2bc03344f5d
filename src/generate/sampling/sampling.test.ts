import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expBelow0 } from './exponential.ts';
import { largest, mostLikely, Sampler, type SamplingOptions } from './index.ts';
import { GREEDY } from './options.ts';
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

  it('is the same where so many are asked for that all are sorted', () => {
    const random = seededRandom(2);
    // Quarters: many are equal; 0 and -0 are, too.
    const logits = Float32Array.from({ length: 3000 }, () => Math.round(40 * (random() - 0.5)) / 4);
    logits[7] = Number.NaN;
    logits[9] = Number.NEGATIVE_INFINITY;
    const value = (id: number) => (id === 7 ? Number.NEGATIVE_INFINITY : logits[id]);
    const ids = [...logits.keys()].sort((a, b) => (value(b) === value(a) ? a - b : value(b) - value(a)));
    for (const count of [512, 513, 3000]) expect([...largest(logits, count)]).toEqual(ids.slice(0, count));
  });

  it('puts NaN last', () => {
    expect([...largest(Float32Array.of(Number.NaN, -5, 3), 2)]).toEqual([2, 1]);
    expect(mostLikely(Float32Array.of(Number.NaN, -5, 3))).toBe(2);
  });
});

it('e^x below 0 is that of Math.exp to 1e-15, and 0 where that is', () => {
  const random = seededRandom(4);
  for (let i = 0; i < 20_000; i++) {
    const x = -690 * random() ** 3;
    expect(Math.abs(expBelow0(x) / Math.exp(x) - 1), `${x}`).toBeLessThan(1e-15);
  }
  expect([0, -746, Number.NEGATIVE_INFINITY, Number.NaN].map(expBelow0)).toEqual([1, 0, 0, 0]);
});

/** What is drawn, from whole sorts: the definition that the sampler has to equal. */
function plainDraw(logits: Float32Array, options: Partial<SamplingOptions>, random: number): number {
  const { temperature, topK, topP, minP, typicalP } = { ...GREEDY, ...options };
  const scaled = logits.map((value) => value / temperature);
  const top = Math.max(...scaled);
  const weight = (id: number) => Math.exp(scaled[id] - top);
  const sum = (some: readonly number[]) => some.reduce((total, id) => total + weight(id), 0);
  const whole = [...scaled.keys()];
  let ids = whole;
  const rank = () => whole.toSorted((a, b) => scaled[b] - scaled[a] || a - b).slice(0, ids.length);
  const enough = (some: readonly number[], share: number) => {
    let before = 0;
    const total = sum(ids);
    const end = some.findIndex((id) => {
      const isEnd = before > 0 && before >= share * total;
      before += weight(id);
      return isEnd;
    });
    return end < 0 ? some.slice() : some.slice(0, end);
  };
  if (topK > 0 && topK < ids.length) ids = rank().slice(0, topK);
  if (topP < 1) ids = enough(rank(), topP);
  if (minP > 0) ids = rank().filter((id, at) => at === 0 || weight(id) >= minP);
  if (typicalP < 1) {
    const total = sum(ids);
    const surprise = (id: number) => -Math.log(weight(id) / total);
    const entropy = ids.reduce((all, id) => all + Math.exp(-surprise(id)) * surprise(id), 0);
    const far = (id: number) => Math.abs(surprise(id) - entropy);
    ids = enough(
      ids.toSorted((a, b) => far(a) - far(b) || a - b),
      typicalP,
    );
  }
  let left = random * sum(ids);
  for (const id of ids) {
    left -= weight(id);
    if (left < 0) return id;
  }
  return ids[ids.length - 1];
}

describe('a draw from a vocabulary of thousands', () => {
  const random = seededRandom(6);
  const texts = Array.from({ length: 12 }, (_, i) =>
    Float32Array.from({ length: 2000 }, () => (1 + i / 3) * (random() + random() + random() - 1.5) * 4),
  );
  it.each<Partial<SamplingOptions>>([
    { temperature: 0.7 },
    { temperature: 0.7, topK: 40 },
    { temperature: 0.7, topP: 0.9 },
    { temperature: 3, topP: 0.97 },
    { temperature: 0.7, topK: 40, topP: 0.9 },
    { temperature: 1, topK: 700, minP: 0.01 },
    { temperature: 1.5, minP: 0.001 },
    { temperature: 1, typicalP: 0.6 },
    { temperature: 1, topK: 100, topP: 0.95, minP: 0.02, typicalP: 0.8 },
  ])('is that of whole sorts: %j', (options) => {
    const sampler = new Sampler({ ...options, seed: 11 });
    const numbers = seededRandom(11);
    for (let i = 0; i < 60; i++) {
      const logits = texts[i % texts.length];
      expect(sampler.next(logits)).toBe(plainDraw(logits, options, numbers()));
    }
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
