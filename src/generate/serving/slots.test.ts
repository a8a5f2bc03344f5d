/** Who gets which slot, and what need not be computed again: over scripted sequences. */
import { describe, expect, it } from 'vitest';
import type { ModelService } from '../index.ts';
import { BusyError } from './busy.ts';
import { FairQueue } from './fair-queue.ts';
import { alone, ask, openScripted, prompt, TOKENS, turns } from './scripted.cases.ts';

const join = (...parts: readonly (readonly number[] | Int32Array)[]) =>
  Int32Array.from(parts.flatMap((p) => [...p]));

/** What was computed of prompts, and what was held. */
const counted = (service: ModelService) => {
  const { promptTokens, reusedTokens } = service.stats();
  return [promptTokens, reusedTokens];
};

describe('beginnings that prompts share', () => {
  it('are held in the slot: a later turn of a conversation computes what is new', async () => {
    const { service, sequences } = openScripted({ count: 3 });
    const first = await ask(service, prompt(20, 1));
    const later = join(prompt(20, 1), first.ids, [1, 2, 3]);
    const { ids, end } = await ask(service, later);
    expect(ids).toEqual(await alone(later));
    // The last token of the first answer was not fed.
    expect(end).toMatchObject({ promptTokens: 31, reusedTokens: 27 });
    expect(counted(service)).toEqual([24, 27]);
    expect(sequences.copies).toEqual([]);
  });

  it('count for penalties as the rest does', async () => {
    const { service } = openScripted({ count: 1 });
    const options = { repetitionPenalty: 3, maxTokens: 20 };
    await ask(service, prompt(20, 1));
    const { ids, end } = await ask(service, prompt(21, 1), options);
    expect(end.reusedTokens).toBe(20);
    expect(ids).toEqual(await alone(prompt(21, 1), options));
  });

  it('are computed once for answers to one prompt that start together', async () => {
    const { service, sequences } = openScripted({ count: 6, batch: 16 });
    const options = [1, 2, 3, 4, 5, 6].map((seed) => ({ temperature: 1, seed }));
    const answers = await Promise.all(options.map((one) => ask(service, prompt(50, 1), one)));
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual(await alone(prompt(50, 1), options[i]));
    // Each but the first feeds the last token, because logits come with it.
    expect(counted(service)).toEqual([50 + 5, 5 * 49]);
    expect(answers.map(({ end }) => end.reusedTokens).sort((a, b) => a - b)).toEqual([0, 49, 49, 49, 49, 49]);
    expect(sequences.copies.map(({ positions }) => positions)).toEqual([49, 49, 49, 49, 49]);
  });

  it('are computed once for different prompts that start together, and by another where the first gives up', async () => {
    const { service } = openScripted({ count: 3, batch: 16 });
    const system = prompt(60, 1);
    const controller = new AbortController();
    const prompts = [3, 4, 5].map((n) => join(system, prompt(n, n)));
    const answers = prompts.map((ids, i) => ask(service, ids, i === 0 ? { signal: controller.signal } : {}));
    await turns(6);
    controller.abort();
    const [first, ...others] = await Promise.all(answers);
    expect(first.end).toMatchObject({ reason: 'aborted', tokens: 0 });
    for (const [i, { ids }] of others.entries()) expect(ids).toEqual(await alone(prompts[i + 1]));
    // Nothing of the common 60 twice.
    expect(counted(service)[0]).toBeLessThanOrEqual(60 + 3 + 4 + 5);
    expect(counted(service)[1]).toBeGreaterThanOrEqual(60);
  });

  it('are copied where the slot that holds them would have to forget more', async () => {
    const { service, sequences } = openScripted({ count: 2 });
    const system = prompt(10, 1);
    const long = join(system, prompt(40, 2));
    await ask(service, long);
    await ask(service, join(system, [7, 7, 7]));
    expect(sequences.copies).toEqual([{ from: 0, to: 1, positions: 10 }]);
    // So the long one is still there.
    expect((await ask(service, join(long, [5]))).end.reusedTokens).toBe(50);
  });

  it('are not waited for where they are short', async () => {
    const { service, sequences } = openScripted({ count: 2 });
    await Promise.all([ask(service, join([1, 2, 3], [4])), ask(service, join([1, 2, 3], [5]))]);
    expect(sequences.copies).toEqual([]);
    expect(sequences.runs[0].length).toBe(2);
  });

  it('that were used least recently are forgotten first', async () => {
    const { service } = openScripted({ count: 2 });
    const [a, b, c] = [1, 2, 3].map((seed) => prompt(20, seed));
    for (const ids of [a, b, a, c]) await ask(service, ids);
    expect((await ask(service, a)).end.reusedTokens).toBe(19);
    expect((await ask(service, b)).end.reusedTokens).toBe(0);
  });
});

describe('the queue', () => {
  it('takes turns between clients, first come first served within one', () => {
    const queue = new FairQueue<string>();
    for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item[0], item);
    expect([queue.shift(), queue.shift()]).toEqual(['a1', 'b1']);
    queue.push('b', 'b2');
    expect(queue.remove('a', 'a3')).toBe(true);
    expect(queue.remove('a', 'a3')).toBe(false);
    expect(queue.size).toBe(4);
    expect([1, 2, 3, 4, 5].map(() => queue.shift())).toEqual(['c1', 'a2', 'b2', 'c2', undefined]);
    expect(queue.size).toBe(0);
  });

  it('lets a client with one request pass another with many', async () => {
    const { service } = openScripted({ count: 1 });
    const order: string[] = [];
    const requests = ['a', 'a', 'a', 'a', 'b'].map(async (client, i) => {
      const ids = prompt(4, i);
      expect((await ask(service, ids, { client })).ids).toEqual(await alone(ids));
      order.push(client);
    });
    expect(service.stats()).toMatchObject({ active: 1, waiting: 4 });
    await Promise.all(requests);
    expect(order).toEqual(['a', 'a', 'b', 'a', 'a']);
  });

  it('that is full says so, and when to come again', async () => {
    const { service } = openScripted({ count: 1 }, { queue: 2 });
    const taken = [1, 2, 3].map((seed) => ask(service, prompt(4, seed)));
    const error = await ask(service, prompt(4, 4)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toMatchObject({ kind: 'resources', message: '2 requests wait already; no more are taken' });
    // Three requests of the 5 s that are guessed before one is known.
    expect((error as BusyError).retryAfter).toBe(15);
    await Promise.all(taken);
    expect((await ask(service, prompt(4, 4))).ids).toEqual(await alone(prompt(4, 4)));
  });

  it('of length 0 takes what a slot is free for', async () => {
    const { service } = openScripted({ count: 2 }, { queue: 0 });
    const taken = [ask(service, prompt(4, 1)), service.embed(prompt(4, 2))];
    await expect(service.score(prompt(4, 3))).rejects.toThrow(BusyError);
    await Promise.all(taken);
  });
});

describe('a request that is cancelled', () => {
  const aborted = { reason: 'aborted', tokens: 0, text: '' };

  it('before it begins takes no slot', async () => {
    const { service } = openScripted({ count: 1 });
    const signal = AbortSignal.abort();
    expect(await ask(service, prompt(5, 1), { signal })).toEqual({
      ids: [],
      end: { ...aborted, promptTokens: 5, reusedTokens: 0 },
    });
    await expect(service.embed(prompt(5, 1), { signal })).rejects.toBe(signal.reason);
    expect(service.stats()).toMatchObject({ active: 0, waiting: 0, runs: 0 });
  });

  it('while it waits leaves the queue at once', async () => {
    const { service } = openScripted({ count: 1 });
    const first = service.answer(prompt(5, 1));
    await first.next();
    const controller = new AbortController();
    const waiting = [1, 2].map((seed) => ask(service, prompt(5, seed), { signal: controller.signal }));
    const score = service.score(prompt(5, 3), { signal: controller.signal });
    expect(service.stats().waiting).toBe(3);
    controller.abort(new Error('enough'));
    for (const { end } of await Promise.all(waiting)) expect(end).toMatchObject(aborted);
    await expect(score).rejects.toThrow('enough');
    expect(service.stats()).toMatchObject({ active: 1, waiting: 0 });
    await first.return({ ...aborted, reason: 'aborted', promptTokens: 5, reusedTokens: 0 });
    expect(service.stats().active).toBe(0);
  });

  it('in the middle of its prompt stops feeding it; what was fed counts', async () => {
    const { service, sequences } = openScripted({ count: 1, batch: 8 });
    const controller = new AbortController();
    const onPrompt = (done: number) => {
      if (done === 16) controller.abort();
    };
    const { end } = await ask(service, prompt(50, 1), { signal: controller.signal, onPrompt });
    expect(end).toEqual({ ...aborted, promptTokens: 50, reusedTokens: 0 });
    expect(sequences.position(0)).toBe(16);
    const again = await ask(service, prompt(50, 1));
    expect(again.end.reusedTokens).toBe(16);
    expect(again.ids).toEqual(await alone(prompt(50, 1)));
  });

  it('while it generates ends with what it has', async () => {
    const { service } = openScripted({ count: 1 });
    const controller = new AbortController();
    const ids: number[] = [];
    const answer = service.answer(prompt(5, 1), { signal: controller.signal });
    for (let i = 0; i < 3; i++) {
      const { value } = await answer.next();
      if ('id' in value) ids.push(value.id);
    }
    controller.abort();
    expect(await answer.next()).toMatchObject({ done: true, value: { reason: 'aborted', tokens: 3 } });
    expect(ids).toEqual((await alone(prompt(5, 1))).slice(0, 3));
    expect(service.stats().active).toBe(0);
  });

  it('by leaving its generator gives the slot back: between tokens, while one comes, while it waits', async () => {
    const { service } = openScripted({ count: 1 });
    for await (const { text } of service.answer(prompt(5, 1))) {
      expect(text.length).toBe(1);
      break;
    }
    expect(service.stats().active).toBe(0);

    const end = { reason: 'aborted', tokens: 0, text: '', promptTokens: 5, reusedTokens: 0 } as const;
    const [going, waiting] = [1, 2].map((seed) => service.answer(prompt(5, seed)));
    const tokens = [going.next(), waiting.next()];
    expect(service.stats()).toMatchObject({ active: 1, waiting: 1 });
    // The one that waits is over at once, though the other's token has not come.
    await waiting.return(end);
    expect(await tokens[1]).toMatchObject({ done: true, value: aborted });
    expect(service.stats()).toMatchObject({ active: 1, waiting: 0 });
    await going.return(end);
    await tokens[0];
    expect(service.stats()).toMatchObject({ active: 0, waiting: 0 });
    expect((await ask(service, prompt(5, 3))).ids).toEqual(await alone(prompt(5, 3)));
  });

  it('while it waits for what another computes lets that one go on', async () => {
    const { service } = openScripted({ count: 2, batch: 8 });
    const controller = new AbortController();
    const first = ask(service, prompt(60, 1));
    const second = ask(service, prompt(60, 1), { signal: controller.signal });
    await turns(3);
    controller.abort();
    expect((await second).end).toMatchObject(aborted);
    expect(service.stats().active).toBe(1);
    expect((await first).ids).toEqual(await alone(prompt(60, 1)));
  });
});

describe('a service that ends', () => {
  it('drained takes no more, and is done when all that it took is', async () => {
    const { service } = openScripted({ count: 1 });
    const taken = [1, 2].map((seed) => ask(service, prompt(4, seed)));
    let isDrained = false;
    const drained = service.drain().then(() => {
      isDrained = true;
    });
    await expect(ask(service, prompt(4, 3))).rejects.toThrow('about to close');
    await turns(3);
    expect(isDrained).toBe(false);
    expect((await Promise.all(taken)).map(({ ids }) => ids.length)).toEqual([TOKENS, TOKENS]);
    await drained;
    await service.drain();
    await service.close();
  });

  it('closed ends all at once: those that wait, those in a run, and those nobody reads', async () => {
    const { service, sequences } = openScripted({ count: 2 });
    const unread = service.answer(prompt(4, 1));
    await unread.next();
    const going = ask(service, prompt(4, 2), { maxTokens: 100 });
    const waiting = Promise.allSettled([ask(service, prompt(4, 3)), service.embed(prompt(4, 4))]);
    await turns(4);
    await Promise.all([service.close(), service.close()]);
    expect(sequences.isClosed).toBe(true);
    const { ids, end } = await going;
    expect(end).toMatchObject({ reason: 'aborted', tokens: ids.length });
    expect(ids).toEqual((await alone(prompt(4, 2), { maxTokens: 100 })).slice(0, ids.length));
    expect(await waiting).toMatchObject([
      { status: 'fulfilled', value: { end: { reason: 'aborted', tokens: 0 } } },
      { status: 'rejected', reason: { message: expect.stringContaining('about to close') } },
    ]);
    expect(await unread.next()).toMatchObject({ done: true, value: { reason: 'aborted', tokens: 1 } });
    await expect(service.score(prompt(4, 1))).rejects.toThrow('about to close');
    expect(service.stats()).toMatchObject({ active: 0, waiting: 0 });
  });
});
