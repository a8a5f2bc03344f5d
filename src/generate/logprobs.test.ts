import { describe, expect, it } from 'vitest';
import { type GeneratedToken, type GenerationOptions, generate, logprobsOf, logSumExp } from './index.ts';
import { logitsAfter, scriptedSession, VOCABULARY } from './serving/scripted.cases.ts';

describe('log-probabilities', () => {
  const LN = Math.log;

  it('are logarithms of what adds up to 1, the likeliest first, the lower id first of equal ones', () => {
    // Probabilities 1/8, 4/8, 1/8, 2/8, whatever is added to all logits; f32 near 50 is good to 2e-6.
    const logits = Float32Array.of(1, 4, 1, 2).map((p) => LN(p) + 50);
    const { logprob, top } = logprobsOf(logits, 2, 3);
    expect(logprob).toBeCloseTo(LN(1 / 8), 5);
    expect(top.map(({ id }) => id)).toEqual([1, 3, 0]);
    [4 / 8, 2 / 8, 1 / 8].forEach((p, i) => void expect(top[i].logprob).toBeCloseTo(LN(p), 5));
    expect(logprobsOf(logits, 2, 0).top).toEqual([]);
    expect(logprobsOf(logits, 2, 9).top.length).toBe(4);
  });

  it('of a token that cannot be are minus infinity, and NaN is no token', () => {
    const logits = Float32Array.of(0, Number.NEGATIVE_INFINITY, Number.NaN, 0);
    expect(logSumExp(logits)).toBeCloseTo(LN(2), 12);
    expect(logprobsOf(logits, 1, 2)).toMatchObject({
      logprob: Number.NEGATIVE_INFINITY,
      top: [{ id: 0 }, { id: 3 }],
    });
  });
});

describe('a generation that tells log-probabilities', () => {
  const letters = {
    isEndOfGeneration: () => false,
    isControl: () => false,
    decoder: () => ({ push: () => '', flush: () => '' }),
  };
  const PROMPT = [1, 2, 3];

  async function run(options: GenerationOptions): Promise<GeneratedToken[]> {
    const tokens: GeneratedToken[] = [];
    const ids = Int32Array.from(PROMPT);
    for await (const token of generate(scriptedSession(), letters, ids, { maxTokens: 6, ...options })) {
      tokens.push(token);
    }
    return tokens;
  }

  it('tells those of the raw logits, whatever bends them', async () => {
    const logitBias = new Map([[5, 1000]]);
    const [first, second] = await run({ logprobs: VOCABULARY, logitBias, temperature: 2, seed: 1 });
    expect([first.id, second.id]).toEqual([5, 5]);
    for (const [{ logprob, top }, held] of [
      [first, PROMPT],
      [second, [...PROMPT, 5]],
    ] as const) {
      const logits = logitsAfter(held);
      const sum = logits.reduce((all, value) => all + Math.exp(value), 0);
      expect(logprob).toBeCloseTo(Math.log(Math.exp(logits[5]) / sum), 12);
      expect(top?.length).toBe(VOCABULARY);
      expect(top?.reduce((all, one) => all + Math.exp(one.logprob), 0)).toBeCloseTo(1, 12);
    }
  });

  it('has none where none are asked for, and its own alone where 0 of the likeliest are', async () => {
    expect(Object.keys((await run({}))[0])).toEqual(['id', 'text']);
    const [token] = await run({ logprobs: 0 });
    expect(token.top).toEqual([]);
    expect(token.logprob).toBeLessThan(0);
  });
});
