/** DRY, Mirostat, XTC, top-n-sigma and typical sampling, against their definitions written anew here. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Candidates } from './candidates.ts';
import { breakerIds, commonLengths, dryPenalties } from './dry.ts';
import { Sampler, type SamplingOptions } from './index.ts';
import { Mirostat } from './mirostat.ts';

const logitsOf = (...p: number[]) => Float32Array.from(p, Math.log);

/** Ids that are ever drawn in 2000 draws. */
function drawn(logits: Float32Array, options: Partial<SamplingOptions>): number[] {
  const sampler = new Sampler({ temperature: 1, seed: 3, ...options });
  const ids = new Set<number>();
  for (let i = 0; i < 2000; i++) ids.add(sampler.next(logits));
  return [...ids].sort((a, b) => a - b);
}

describe('DRY', () => {
  const options = { dryMultiplier: 0.8, dryBase: 1.75, dryAllowedLength: 2, dryRange: 0 };
  const none = new Set<number>();

  it('penalizes what would go on a sequence, the more the longer it is', () => {
    // 1 2 3 stands at the end and, followed by 4, in front: 3 tokens, one above 2.
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], none, options)).toEqual(new Map([[4, 0.8 * 1.75]]));
    // 2 3 went on with 4 after 1, and with 5 after 7: lengths 3 and 2.
    const both = dryPenalties([1, 2, 3, 4, 7, 2, 3, 5, 1, 2, 3], none, options);
    expect([...both].sort(([a], [b]) => a - b)).toEqual([
      [4, 0.8 * 1.75],
      [5, 0.8],
    ]);
  });

  it('leaves sequences below the allowed length alone', () => {
    expect(dryPenalties([3, 4, 9, 3], none, options).size).toBe(0);
    expect(dryPenalties([], none, options).size).toBe(0);
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], none, { ...options, dryAllowedLength: 4 }).size).toBe(0);
  });

  it('counts a sequence from its last breaker, and never penalizes a breaker', () => {
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], new Set([1]), options)).toEqual(new Map([[4, 0.8]]));
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], new Set([2]), options).size).toBe(0);
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], new Set([4]), options).size).toBe(0);
  });

  it('looks no further back than its range', () => {
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], none, { ...options, dryRange: 7 })).toEqual(
      new Map([[4, 0.8]]),
    );
    expect(dryPenalties([1, 2, 3, 4, 9, 1, 2, 3], none, { ...options, dryRange: 5 }).size).toBe(0);
  });

  it('stays finite however long the sequence is', () => {
    const penalty = dryPenalties(new Array<number>(5000).fill(1), none, options).get(1) ?? 0;
    expect(penalty).toBeGreaterThan(1e30);
    expect(Number.isFinite(penalty)).toBe(true);
  });

  it('is what its definition says, by comparing everything with everything', () => {
    const token = fc.integer({ min: 0, max: 4 });
    const history = fc.array(token, { maxLength: 40 });
    fc.assert(
      fc.property(
        history,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 30 }),
        fc.boolean(),
        (all, allowed, range, breaks) => {
          const breakers = new Set(breaks ? [0] : []);
          const tokens = range > 0 ? all.slice(-range) : all;
          const expected = new Map<number, number>();
          for (let next = 1; next < tokens.length; next++) {
            let length = 0;
            while (
              length < next &&
              tokens[next - 1 - length] === tokens[tokens.length - 1 - length] &&
              !breakers.has(tokens[tokens.length - 1 - length])
            ) {
              length++;
            }
            const penalty = 0.5 * 2 ** (length - allowed);
            if (length < allowed || breakers.has(tokens[next])) continue;
            expected.set(tokens[next], Math.max(expected.get(tokens[next]) ?? 0, penalty));
          }
          const found = dryPenalties(all, breakers, {
            dryMultiplier: 0.5,
            dryBase: 2,
            dryAllowedLength: allowed,
            dryRange: range,
          });
          expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
          for (const [id, penalty] of found) expect(penalty).toBeCloseTo(expected.get(id) ?? 0, 5);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('takes time that grows with the tokens, not with their square', () => {
    // 200,000 equal tokens: their square would take minutes.
    const lengths = commonLengths(new Array<number>(200_000).fill(7), 200_000);
    expect([lengths[0], lengths[1], lengths[199_999]]).toEqual([0, 199_999, 1]);
  });

  it('breaks at every token that holds a breaker', () => {
    const pieces = ['a', ':', ' b:', '\n\n', '"', 'c'].map((text) => new TextEncoder().encode(text));
    const tokenizer = { vocabularySize: pieces.length, piece: (id: number) => pieces[id] };
    expect([...breakerIds(tokenizer, ['\n', ':'])]).toEqual([1, 2, 3]);
    expect([...breakerIds(tokenizer, ['"'])]).toEqual([4]);
    expect([...breakerIds({}, ['"'])]).toEqual([]);
  });

  it('keeps a sampler from repeating what prompt and answer hold', () => {
    const logits = logitsOf(0.1, 0.2, 0.3, 0.4);
    const sampler = new Sampler({ dryMultiplier: 5, dryAllowedLength: 1 });
    sampler.prompt([2, 3, 1, 2]);
    // 3 followed 2.
    expect(sampler.next(logits)).toBe(2);
    // 2 followed 2, and so did 3: 2 2 was never followed by anything.
    expect(sampler.next(logits)).toBe(1);
  });

  it('does not break at texts of the options that no tokenizer was given for', () => {
    const sampler = new Sampler(
      { dryMultiplier: 5, dryAllowedLength: 1, dryBreakers: ['x'] },
      {
        vocabularySize: 4,
        piece: (id) => new TextEncoder().encode(id === 2 ? 'x' : 'y'),
      },
    );
    sampler.prompt([2, 3, 1, 2]);
    expect(sampler.next(logitsOf(0.1, 0.2, 0.3, 0.4))).toBe(3);
  });
});

describe('Mirostat', () => {
  it('moves its bound by what was drawn, and cuts off what surprises more', () => {
    const logits = logitsOf(0.5, 0.25, 0.125, 0.125);
    // The bound begins at 2 tau = 2.1 bits: 1/8 is 3 bits and goes; of 1/2 and 1/4 are left 2/3 and 1/3.
    const mirostat = new Mirostat(1.05, 0.5);
    expect(mirostat.bound).toBe(2.1);
    expect(mirostat.draw(new Candidates(logits), 0.9)).toBe(1);
    // It surprised by log2(3) = 1.585 bits, more than tau.
    expect(mirostat.bound).toBeCloseTo(2.1 - 0.5 * (Math.log2(3) - 1.05), 6);
    // Below 2 bits 1/4 goes, too, and 1/2 does not surprise at all.
    expect(mirostat.draw(new Candidates(logits), 0.9)).toBe(0);
    expect(mirostat.bound).toBeCloseTo(2.1 - 0.5 * (Math.log2(3) - 1.05) + 0.5 * 1.05, 6);
  });

  it('comes to the surprise that it aims at, on a distribution that is long enough', () => {
    const logits = Float32Array.from({ length: 5000 }, (_, rank) => -1.1 * Math.log(rank + 1));
    for (const tau of [2, 4]) {
      const mirostat = new Mirostat(tau, 0.1);
      let state = 1;
      let sum = 0;
      for (let i = 0; i < 3000; i++) {
        state = (state * 48271) % 2147483647;
        const candidates = new Candidates(logits);
        const id = mirostat.draw(candidates, state / 2147483647);
        if (i >= 1000) sum -= Math.log2(candidates.weight(id) / candidates.total());
      }
      expect(Math.abs(sum / 2000 - tau)).toBeLessThan(0.05);
    }
  });

  it('takes the place of the filters, and temperature 0 the place of it', () => {
    const logits = logitsOf(0.5, 0.25, 0.125, 0.125);
    expect(drawn(logits, { mirostatTau: 5, topK: 1 })).toEqual([0, 1, 2, 3]);
    expect(drawn(logits, { mirostatTau: 5, temperature: 0 })).toEqual([0]);
  });
});

describe('XTC', () => {
  const logits = logitsOf(0.4, 0.05, 0.3, 0.2, 0.05);

  it('leaves only the least likely of the likely, and all that is not', () => {
    expect(drawn(logits, { xtcProbability: 1, xtcThreshold: 0.1 })).toEqual([1, 3, 4]);
    expect(drawn(logits, { xtcProbability: 1, xtcThreshold: 0.35 })).toEqual([0, 1, 2, 3, 4]);
    expect(drawn(logits, { xtcProbability: 0, xtcThreshold: 0.1 })).toEqual([0, 1, 2, 3, 4]);
  });

  it('works on what the other filters left', () => {
    // Of the first three are left 4/9, 3/9 and 2/9.
    expect(drawn(logits, { xtcProbability: 1, xtcThreshold: 0.25, topK: 3 })).toEqual([2, 3]);
  });

  it('happens as often as it is asked for', () => {
    const sampler = new Sampler({ temperature: 1, seed: 5, xtcProbability: 0.25, xtcThreshold: 0.3 });
    let first = 0;
    for (let i = 0; i < 4000; i++) if (sampler.next(logits) === 0) first++;
    // 0 is drawn with 0.4 where XTC does not happen; four standard deviations.
    expect(Math.abs(first - 4000 * 0.75 * 0.4)).toBeLessThan(4 * Math.sqrt(4000 * 0.3 * 0.7));
  });
});

describe('top-n-sigma', () => {
  // Logits 0, 2, 4, 6 and 8: their mean is 4, their standard deviation the root of 8, 2.83.
  const logits = Float32Array.of(0, 2, 4, 6, 8);
  it.each([
    [0.7, [4]],
    [0.75, [3, 4]],
    [1.42, [2, 3, 4]],
    [0, [0, 1, 2, 3, 4]],
  ])('%f', (topNSigma, ids) => {
    expect(drawn(logits, { topNSigma, temperature: 5 })).toEqual(ids);
    // Temperature scales both sides.
    expect(drawn(logits, { topNSigma, temperature: 50 })).toEqual(ids);
  });

  it('does not count what is forbidden', () => {
    const forbidden = Float32Array.of(0, 2, 4, 6, 8, Number.NEGATIVE_INFINITY);
    expect(drawn(forbidden, { topNSigma: 1.42, temperature: 5 })).toEqual([2, 3, 4]);
  });
});

describe('typical sampling', () => {
  it('keeps what transformers keeps', () => {
    const share = fc.constantFrom(0.2, 0.5, 0.9, 0.95);
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(weights, share, (parts, mass) => {
        const logits = Float32Array.from(parts, (part) => 2 * Math.log(part));
        // As TypicalLogitsWarper: sort by distance, count what is below the mass, cut what is farther than that one.
        const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
        const p = Array.from(logits, (logit) => Math.exp(logit) / sum);
        const entropy = p.reduce((total, one) => total - one * Math.log(one), 0);
        const far = p.map((one) => Math.abs(-Math.log(one) - entropy));
        const order = p.map((_, id) => id).sort((a, b) => far[a] - far[b]);
        let total = 0;
        let below = 0;
        for (const id of order) {
          total += p[id];
          if (total < mass - 1e-9) below++;
        }
        const limit = far[order[Math.min(below, order.length - 1)]];
        const kept = p.map((_, id) => id).filter((id) => far[id] <= limit + 1e-9);
        const found = drawn(logits, { typicalP: mass, temperature: 1 });
        // Rare ones may not come up in 2000 draws; none that was cut may.
        expect(found.filter((id) => !kept.includes(id))).toEqual([]);
        const likely = kept.filter((id) => p[id] > 0.02);
        expect(likely.filter((id) => !found.includes(id))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('ranges', () => {
  it.each([
    [{ mirostatTau: -1 }, 'mirostatTau: -1 is not a number from 0 to 100'],
    [{ dryBase: 0.5 }, 'dryBase: 0.5 is not a number from 1 to 10'],
    [{ dryAllowedLength: 1.5 }, 'dryAllowedLength: 1.5 is not a whole number from 1 to 10000'],
    [{ xtcProbability: 2 }, 'xtcProbability: 2 is not a number from 0 to 1'],
  ])('%j is a usage error', (options, message) => {
    expect(() => new Sampler(options)).toThrow(message);
  });
});

describe('a sampler under a constraint', () => {
  /** Lets only even ids through. */
  const even = {
    allows: (id: number) => id % 2 === 0,
    allowed: () => ({ has: (id: number) => id % 2 === 0 }),
    accept: () => {},
    isOver: false,
  };

  it('bends what is allowed, and is never bent out of it', () => {
    const logits = logitsOf(0.1, 0.5, 0.3, 0.1);
    expect(new Sampler().next(logits, even)).toBe(2);
    expect(new Sampler({ logitBias: new Map([[0, 5]]) }).next(logits, even)).toBe(0);
    // A bias, however large, does not bring in what the grammar forbids.
    expect(new Sampler({ logitBias: new Map([[1, 100]]) }).next(logits, even)).toBe(2);
    for (const options of [
      { mirostatTau: 3 },
      { xtcProbability: 1 },
      { topNSigma: 1 },
      { typicalP: 0.5 },
      { dryMultiplier: 1 },
    ]) {
      const sampler = new Sampler({ temperature: 2, seed: 1, logitBias: new Map([[1, 9]]), ...options });
      for (let i = 0; i < 200; i++) expect(sampler.next(logits, even) % 2).toBe(0);
    }
  });

  it('says so where bias forbids all that the grammar allows', () => {
    const logitBias = new Map([0, 2].map((id): [number, number] => [id, Number.NEGATIVE_INFINITY]));
    for (const temperature of [0, 1]) {
      expect(() => new Sampler({ logitBias, temperature }).next(logitsOf(0.1, 0.5, 0.3, 0.1), even)).toThrow(
        'the grammar allows no token',
      );
    }
  });
});
