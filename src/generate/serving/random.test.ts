/** Any mixture of requests, cancellations and failures: nothing is lost or mixed up, and all slots come back. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ModelService, RequestOptions } from '../index.ts';
import type { Part } from '../sequences.ts';
import { BusyError } from './busy.ts';
import { alone, ask, openScripted, prompt, turns } from './scripted.cases.ts';

/** Whole runs with this token fail. Nothing generates it. */
const BAD = 39;

/** How a request ends, where not by itself: by its signal, or by being left. */
type Ending = { readonly by: 'signal' | 'leaving'; readonly after: number } | undefined;

interface Request {
  /** Turns of the event loop before it comes. */
  readonly delay: number;
  /** Tokens of one of two beginnings, and of an end of its own. */
  readonly family: number;
  readonly shared: number;
  readonly own: number;
  readonly seed: number;
  readonly greedy: boolean;
  readonly maxTokens: number;
  readonly client: string;
  readonly kind: 'answer' | 'embed' | 'score';
  readonly isBad: boolean;
  readonly ending: Ending;
}

const natural = (max: number) => fc.integer({ min: 0, max });

const requests: fc.Arbitrary<Request> = fc.record({
  delay: natural(40),
  family: natural(1),
  shared: natural(30),
  own: fc.integer({ min: 1, max: 6 }),
  seed: natural(3),
  greedy: fc.boolean(),
  maxTokens: natural(10),
  client: fc.constantFrom('a', 'b', 'c'),
  kind: fc.constantFrom('answer', 'answer', 'answer', 'embed', 'score'),
  isBad: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  ending: fc.option(fc.record({ by: fc.constantFrom('signal', 'leaving'), after: natural(12) }), {
    nil: undefined,
  }),
});

const idsOf = ({ family, shared, own, seed, isBad }: Request) =>
  Int32Array.of(
    ...prompt(shared, family).map((id) => id % BAD),
    ...(isBad ? [BAD] : []),
    ...prompt(own, seed + 5).map((id) => id % BAD),
  );

const sampling = ({ greedy, seed, maxTokens }: Request): RequestOptions => ({
  maxTokens,
  logitBias: new Map([[BAD, Number.NEGATIVE_INFINITY]]),
  ...(greedy ? {} : { temperature: 1, seed }),
});

/** What became of an answer: its tokens so far in any case. */
async function answer(service: ModelService, request: Request, got: number[]): Promise<string> {
  const controller = new AbortController();
  const { ending, client } = request;
  const tokens = service.answer(idsOf(request), { ...sampling(request), client, signal: controller.signal });
  if (ending?.by === 'signal') void turns(ending.after).then(() => controller.abort());
  if (ending?.by === 'leaving') {
    const end = { reason: 'aborted', tokens: 0, text: '', promptTokens: 0, reusedTokens: 0 } as const;
    void turns(ending.after).then(() => tokens.return(end));
  }
  for (;;) {
    const { value, done } = await tokens.next();
    // A generator that was left says nothing more.
    if (done) return value?.reason ?? 'aborted';
    got.push(value.id);
  }
}

async function play(service: ModelService, request: Request): Promise<void> {
  await turns(request.delay);
  const { kind, isBad, client, ending } = request;
  const ids = idsOf(request);
  const got: number[] = [];
  try {
    if (kind === 'embed') await service.embed(ids, { client });
    else if (kind === 'score') expect((await service.score(ids, { client })).length).toBe(ids.length - 1);
    else {
      const reason = await answer(service, request, got);
      const expected = await alone(ids, sampling(request));
      if (reason === 'aborted') expect(ending).toBeDefined();
      expect(got).toEqual(reason === 'aborted' ? expected.slice(0, got.length) : expected);
    }
  } catch (error) {
    if (error instanceof BusyError) return;
    expect((error as Error).message).toBe('bad token');
    expect(isBad).toBe(true);
  }
}

it('any requests at any times are answered as alone, or not at all, and all slots come back', async () => {
  const settings = fc.record({
    count: fc.integer({ min: 1, max: 4 }),
    batch: fc.integer({ min: 1, max: 40 }),
    queue: natural(12),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(requests, { minLength: 1, maxLength: 14 }),
      settings,
      async (all, { count, batch, queue }) => {
        let isOver = false;
        const during = (parts: readonly Part[]) => {
          if (!isOver && parts.some(({ tokens }) => tokens.includes(BAD))) throw new Error('bad token');
        };
        const { service, sequences } = openScripted({ count, batch, during }, { queue });
        await Promise.all(all.map((request) => play(service, request)));
        expect(service.stats()).toMatchObject({ active: 0, waiting: 0 });
        isOver = true;
        // As many as there are slots are taken at once, whatever the queue's length.
        const again = Array.from({ length: count }, (_, i) => prompt(3, i));
        const answers = again.map((ids) => ask(service, ids));
        expect(service.stats().waiting).toBe(0);
        for (const [i, { ids }] of (await Promise.all(answers)).entries())
          expect(ids).toEqual(await alone(again[i]));
        await service.drain();
        await service.close();
        expect(sequences.isClosed).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

it('closed at any time, all that was asked for ends: whole, cut short, or refused', async () => {
  const settings = fc.record({ count: fc.integer({ min: 1, max: 3 }), closeAfter: natural(60) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(requests, { minLength: 1, maxLength: 10 }),
      settings,
      async (all, { count, closeAfter }) => {
        const { service, sequences } = openScripted({ count, batch: 16 });
        const closed = turns(closeAfter).then(() => service.close());
        const ends = all.map(async (request) => {
          await turns(request.delay);
          const ids = idsOf(request);
          const got: number[] = [];
          if (request.kind === 'answer') {
            const reason = await answer(service, request, got);
            const expected = await alone(ids, sampling(request));
            expect(got).toEqual(reason === 'aborted' ? expected.slice(0, got.length) : expected);
          } else if (request.kind === 'embed') expect((await service.embed(ids)).length).toBe(service.width);
          else expect((await service.score(ids)).length).toBe(ids.length - 1);
        });
        for (const end of await Promise.allSettled(ends)) {
          if (end.status === 'rejected')
            expect(end.reason).toMatchObject({ message: expect.stringContaining('about to close') });
        }
        await closed;
        expect(sequences.isClosed).toBe(true);
        expect(service.stats()).toMatchObject({ active: 0, waiting: 0 });
      },
    ),
    { numRuns: 100 },
  );
});
