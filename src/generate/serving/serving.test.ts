/** What a service answers, and in which runs: over scripted sequences. */
import { describe, expect, it } from 'vitest';
import { Gate, type GeneratedToken, logprobsOf, type ModelService } from '../index.ts';
import type { Part } from '../sequences.ts';
import {
  alone,
  ask,
  collect,
  letters,
  logitsAfter,
  openScripted,
  prompt,
  stateAfter,
  TOKENS,
  turns,
} from './scripted.cases.ts';

const sizes = (runs: readonly (readonly Part[])[]) =>
  runs.map((parts) => parts.map(({ tokens }) => tokens.length));

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

describe('a service', () => {
  it('answers many at once as one after the other, in runs that they share', async () => {
    const { service, sequences } = openScripted({ count: 4 });
    const prompts = [5, 9, 30, 2].map(prompt);
    const options = [
      {},
      { temperature: 1, seed: 5 },
      { repetitionPenalty: 1.5 },
      { temperature: 2, topP: 0.9, seed: 1 },
    ];
    const answers = await Promise.all(prompts.map((ids, i) => ask(service, ids, options[i])));
    for (const [i, { ids, end }] of answers.entries()) {
      expect(ids).toEqual(await alone(prompts[i], options[i]));
      expect(end).toMatchObject({
        reason: 'length',
        tokens: 8,
        promptTokens: prompts[i].length,
        reusedTokens: 0,
      });
    }
    // All prompts in one run; then seven runs of one token each.
    expect(sizes(sequences.runs)).toEqual([[5, 9, 30, 2], ...Array.from({ length: 7 }, () => [1, 1, 1, 1])]);
    expect(service.stats()).toEqual({
      slots: 4,
      active: 0,
      waiting: 0,
      promptTokens: 46,
      reusedTokens: 0,
      generatedTokens: 32,
      runs: 8,
      runTokens: 46 + 28,
    });
  });

  it('takes prompts in turns, and in small pieces where others go on meanwhile', async () => {
    const { service, sequences } = openScripted({ count: 4, batch: 100, contextSize: 400 });
    const first = service.answer(prompt(3, 1), { maxTokens: 12 });
    await first.next();
    const others = [ask(service, prompt(230, 2)), ask(service, prompt(150, 3))];
    const { ids } = await collect(first);
    expect(ids).toEqual((await alone(prompt(3, 1), { maxTokens: 12 })).slice(1));
    expect((await Promise.all(others)).map((answer) => answer.ids)).toEqual([
      await alone(prompt(230, 2)),
      await alone(prompt(150, 3)),
    ]);
    // 64 tokens of prompts beside the first one's token; what is left of a piece goes to the next prompt.
    const shared = sizes(sequences.runs.slice(1)).filter((run) => sum(run) > 4);
    expect(shared).toEqual([...Array.from({ length: 5 }, () => [1, 64]), [1, 22, 38]]);
  });

  it('gives every stream as many tokens as the others', async () => {
    const { service } = openScripted({ count: 8, batch: 3 });
    const got = new Array<number>(8).fill(0);
    /** Tokens of each when the last one got its first, and when the first one got its last. */
    let [from, to]: number[][] = [[], []];
    const streams = got.map(async (_, i) => {
      const ids = prompt(4 + i, i);
      const tokens: number[] = [];
      for await (const { id } of service.answer(ids, { maxTokens: 60 })) {
        tokens.push(id);
        got[i]++;
        if (from.length === 0 && Math.min(...got) > 0) from = [...got];
        if (to.length === 0 && got[i] === 60) to = [...got];
      }
      expect(tokens).toEqual(await alone(ids, { maxTokens: 60 }));
    });
    await Promise.all(streams);
    const between = to.map((count, i) => count - from[i]);
    expect(Math.min(...between)).toBeGreaterThan(20);
    expect(Math.max(...between) - Math.min(...between)).toBeLessThanOrEqual(1);
  });

  it('lets no prompt wait for ever where tokens fill each run', async () => {
    const { service } = openScripted({ count: 3, batch: 1 });
    const long = [
      ask(service, prompt(2, 1), { maxTokens: 60 }),
      ask(service, prompt(2, 2), { maxTokens: 60 }),
    ];
    await turns(20);
    let isOver = false;
    void Promise.race(long).then(() => {
      isOver = true;
    });
    expect((await ask(service, prompt(9, 3), { maxTokens: 2 })).ids).toEqual(
      await alone(prompt(9, 3), { maxTokens: 2 }),
    );
    expect(isOver).toBe(false);
    await Promise.all(long);
  });

  it('tells how far a prompt is, and waits for the one who hears', async () => {
    const { service, sequences } = openScripted({ count: 1, batch: 16 });
    const heard: string[] = [];
    const onPrompt = async (done: number, total: number) => {
      await turns(3);
      heard.push(`${done}/${total} after ${sequences.runs.length}`);
    };
    await ask(service, prompt(40, 1), { onPrompt });
    expect(heard).toEqual(['0/40 after 0', '16/40 after 1', '32/40 after 2']);
  });

  it('refuses what cannot be answered, and says why', async () => {
    const { service } = openScripted({ count: 1, contextSize: 20 });
    const refuses = (ids: Int32Array, message: string, options = {}) =>
      expect(ask(service, ids, options)).rejects.toThrow(message);
    await refuses(new Int32Array(), 'the prompt has no token');
    await refuses(prompt(21, 1), 'the prompt has 21 tokens; the context holds 20');
    await refuses(Int32Array.of(3, 40), 'token 40 is not from 0 to 39');
    await refuses(prompt(2, 1), 'topP: 0 is not', { topP: 0 });
    await expect(service.embed(new Int32Array())).rejects.toThrow('no token');
    await expect(service.score(prompt(30, 1))).rejects.toThrow('30 tokens');
    expect(service.stats()).toMatchObject({ active: 0, waiting: 0, runs: 0 });
    // Where the context is full, an answer ends.
    const { ids, end } = await ask(service, prompt(18, 1));
    expect([ids.length, end.reason]).toEqual([3, 'context']);
  });

  it('tells log-probabilities of many at once', async () => {
    const { service } = openScripted({ count: 2 });
    const prompts = [prompt(3, 1), prompt(4, 2)];
    const firsts = await Promise.all(prompts.map((ids) => service.answer(ids, { logprobs: 2 }).next()));
    for (const [i, { value }] of firsts.entries()) {
      const { id } = value as GeneratedToken;
      expect(value).toMatchObject(logprobsOf(logitsAfter([...prompts[i]]), id, 2));
    }
  });
});

describe('a pass', () => {
  const unit = (vector: readonly number[]) => {
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  };
  const states = (ids: Int32Array) => Array.from(ids, (_, i) => stateAfter([...ids.subarray(0, i + 1)]));

  it('embeds a text in pieces: the mean of its states, or the last one, of unit length', async () => {
    const { service, sequences } = openScripted({ count: 2, batch: 8 });
    const ids = prompt(21, 4);
    const all = states(ids);
    const mean = all[0].map((_, i) => sum(all.map((state) => state[i])) / all.length);
    const close = (found: Float32Array, expected: readonly number[]) =>
      unit(expected).forEach((value, i) => void expect(found[i]).toBeCloseTo(value, 6));
    close(await service.embed(ids), mean);
    expect(sizes(sequences.runs)).toEqual([[8], [8], [5]]);
    // The slot holds the text now: its last state alone takes one token more.
    close(await service.embed(ids, { pooling: 'last' }), all[20]);
    expect(sizes(sequences.runs.slice(3))).toEqual([[1]]);
    expect(service.stats()).toMatchObject({ promptTokens: 22, reusedTokens: 20, active: 0 });
  });

  it('scores a text beside others that go on, a bounded number of rows at once', async () => {
    const { service, sequences } = openScripted({ count: 3, batch: 200 });
    const ids = prompt(150, 2);
    const [scored, other, answer] = await Promise.all([
      service.score(ids, { top: 3 }),
      service.score(prompt(30, 3)),
      ask(service, prompt(5, 1), { maxTokens: 20 }),
    ]);
    expect(scored.length).toBe(149);
    for (const [i, token] of scored.entries()) {
      expect(token).toEqual({
        id: ids[i + 1],
        ...logprobsOf(logitsAfter([...ids.subarray(0, i + 1)]), ids[i + 1], 3),
      });
    }
    expect(other.map(({ id, top }) => [id, top.length])).toEqual(
      Array.from(prompt(30, 3).subarray(1), (id) => [id, 0]),
    );
    expect(answer.ids).toEqual(await alone(prompt(5, 1), { maxTokens: 20 }));
    for (const parts of sequences.runs) {
      expect(sum(parts.map(({ want, tokens }) => (want === 'all' ? tokens.length : 0)))).toBeLessThanOrEqual(
        64,
      );
    }
    expect(await service.score(Int32Array.of(7))).toEqual([]);
  });
});

describe('a failed run', () => {
  it('fails only the request that is at fault', async () => {
    const bad = 39;
    const during = (parts: readonly Part[]) => {
      if (parts.some(({ tokens }) => tokens.includes(bad))) throw new Error('token 39 does not go through');
    };
    const { service } = openScripted({ count: 3, during });
    const options = { logitBias: new Map([[bad, Number.NEGATIVE_INFINITY]]) };
    const prompts = [Int32Array.of(1, 2, 3), Int32Array.of(4, bad), Int32Array.of(5, 6)];
    const results = await Promise.allSettled(prompts.map((ids) => ask(service, ids, options)));
    expect(results[1]).toMatchObject({
      status: 'rejected',
      reason: { message: 'token 39 does not go through' },
    });
    for (const i of [0, 2]) {
      const ids = await alone(prompts[i], options);
      expect(results[i]).toMatchObject({ status: 'fulfilled', value: { ids } });
    }
    // And its slot is good again.
    const again = await Promise.all([7, 8, 9].map((seed) => ask(service, Int32Array.of(seed, 2), options)));
    expect(again.map(({ ids }) => ids)).toEqual(
      await Promise.all([7, 8, 9].map((seed) => alone(Int32Array.of(seed, 2), options))),
    );
    expect(service.stats()).toMatchObject({ active: 0 });
  });

  it('is tried again part by part, so one that fails once fails nobody', async () => {
    let failures = 1;
    const during = (parts: readonly Part[]) => {
      if (parts.length > 1 && failures-- > 0) throw new Error('once');
    };
    const { service } = openScripted({ count: 2, during });
    const prompts = [prompt(5, 1), prompt(6, 2)];
    const answers = await Promise.all(prompts.map((ids) => ask(service, ids)));
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual(await alone(prompts[i]));
  });

  it('of everything fails all that are in it, and the next ones are answered', async () => {
    let isBroken = true;
    const during = () => {
      if (isBroken) throw new Error('no run goes through');
    };
    const { service } = openScripted({ count: 2, during });
    const results = await Promise.allSettled([1, 2, 3].map((seed) => ask(service, prompt(5, seed))));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    isBroken = false;
    expect((await ask(service, prompt(5, 1))).ids).toEqual(await alone(prompt(5, 1)));
  });

  it('of a listener or a constraint fails its request alone', async () => {
    const { service } = openScripted({ count: 2, batch: 8 });
    const onPrompt = (done: number) => {
      if (done > 0) throw new Error('deaf');
    };
    const [first, second] = await Promise.allSettled([
      ask(service, prompt(20, 1), { onPrompt }),
      ask(service, prompt(20, 2)),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { message: 'deaf' } });
    expect(second).toMatchObject({ value: { ids: await alone(prompt(20, 2)) } });
    expect(service.stats()).toMatchObject({ active: 0 });
  });
});

describe('services behind one gate', () => {
  it('never run at the same time, and both answer', async () => {
    const gate = new Gate();
    let running = 0;
    const during = async () => {
      expect(++running).toBe(1);
      await turns(2);
      running--;
    };
    const services = [0, 1].map(() => openScripted({ count: 2, during }, { gate }).service);
    const asked: [ModelService, Int32Array][] = [1, 2, 3, 4].map((seed) => [
      services[seed % 2],
      prompt(4, seed),
    ]);
    const answers = await Promise.all(asked.map(([service, ids]) => ask(service, ids)));
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual(await alone(asked[i][1]));
    expect(services.map((service) => service.stats().generatedTokens)).toEqual([2 * TOKENS, 2 * TOKENS]);
  });

  it('that fails lets the next one pass', async () => {
    const gate = new Gate();
    await expect(gate.pass(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await gate.pass(async () => letters.vocabularySize)).toBe(40);
  });
});
