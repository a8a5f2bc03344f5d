import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTinyModel } from '../../test/tiny-models.ts';
import { referenceBackend } from '../backends/index.ts';
import {
  type Constraint,
  Engine,
  type GenerationEnd,
  type GenerationOptions,
  generate,
  mostLikely,
  Session,
} from './index.ts';

/** Ids as letters, `a` for 0; 2 ends a generation. */
const letters = {
  isEndOfGeneration: (id: number) => id === 2,
  isControl: () => false,
  decoder: () => ({ push: (id: number) => String.fromCharCode(97 + (id % 26)), flush: () => '' }),
};
const PROMPT = Int32Array.of(1, 70, 65, 12);
const CONTEXT = 40;

let engine: Engine;
let session: Session;
/** The first 20 tokens that are likeliest, one after the other. */
const greedy: number[] = [];

beforeAll(async () => {
  const backend = referenceBackend();
  engine = await Engine.open(await openTinyModel('phi3'), { backend, contextSize: CONTEXT });
  session = await Session.open(engine);
  let next = PROMPT;
  for (let i = 0; i < 20; i++) {
    greedy.push(mostLikely(await session.feed(next)));
    next = Int32Array.of(greedy[i]);
  }
});
afterAll(() => {
  session.close();
  engine.close();
});

async function run(options: GenerationOptions): Promise<{ ids: number[]; text: string; end: GenerationEnd }> {
  session.rewind(0);
  const tokens = generate(session, letters, PROMPT, options);
  const ids: number[] = [];
  const texts: string[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    texts.push(value.text);
    if (done) return { ids, text: texts.join(''), end: value };
    ids.push(value.id);
  }
}

describe('a generation', () => {
  const textOf = (ids: readonly number[]) => ids.map((id) => letters.decoder().push(id)).join('');

  it('goes on as the session alone does, and stops at the number of tokens', async () => {
    const { ids, text, end } = await run({ maxTokens: 12 });
    expect(ids).toEqual(greedy.slice(0, 12));
    expect(text).toBe(textOf(greedy.slice(0, 12)));
    expect(end).toMatchObject({ reason: 'length', tokens: 12 });
    // The last token was not fed: nothing came after it.
    expect(session.position).toBe(PROMPT.length + 11);
  });

  it('generates nothing where no token is asked for', async () => {
    expect(await run({ maxTokens: 0 })).toMatchObject({ ids: [], end: { reason: 'length', tokens: 0 } });
    expect(session.position).toBe(0);
  });

  it('ends where the context is full', async () => {
    const { ids, end } = await run({ logitBias: new Map([[2, Number.NEGATIVE_INFINITY]]) });
    expect(end.reason).toBe('context');
    expect(ids.length).toBe(CONTEXT - PROMPT.length + 1);
  });

  it('ends at a token that ends generations, which does not count', async () => {
    const end = new Map([[2, 1000]]);
    expect(await run({ logitBias: end })).toMatchObject({
      ids: [],
      text: '',
      end: { reason: 'stop', tokens: 0 },
    });
  });

  it('ends at a stop token of the options', async () => {
    const at = greedy.findIndex((id, i) => i > 2 && greedy.indexOf(id) === i);
    const { ids, end } = await run({ stopTokens: [greedy[at]], maxTokens: 20 });
    expect(ids).toEqual(greedy.slice(0, at));
    expect(end.reason).toBe('stop');
  });

  it('leaves a stop string out, and what might have begun one in', async () => {
    const whole = textOf(greedy.slice(0, 12));
    const stop = whole.slice(5, 8);
    const { text, end } = await run({ stop: [stop, `${whole.slice(2, 4)}?`, ''], maxTokens: 12 });
    expect(text).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(end.reason).toBe('stop');
    const { text: all } = await run({ stop: [`${whole.slice(8)}?`], maxTokens: 12 });
    expect(all).toBe(whole);
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    session.rewind(0);
    const tokens = generate(session, letters, PROMPT, { signal: controller.signal });
    await tokens.next();
    controller.abort();
    expect(await tokens.next()).toMatchObject({ done: true, value: { reason: 'aborted', tokens: 1 } });
  });

  it('takes only tokens that a constraint allows, and ends where nothing can follow', async () => {
    const rounds = [[7, 9], [11], [4, 2]];
    const taken: number[] = [];
    const constraint: Constraint = {
      allows: (id) => rounds[taken.length].includes(id),
      allowed: () => new Set(rounds[taken.length]),
      accept: (id) => void taken.push(id),
      get isOver() {
        return taken.length === 3;
      },
    };
    // 2 would end the generation; it is forbidden until it is the last choice.
    const logitBias = new Map([
      [2, 1000],
      [7, 500],
    ]);
    const { ids, end } = await run({ constraint, logitBias, maxTokens: 2 });
    expect([ids, end.reason]).toEqual([[7, 11], 'length']);
    taken.length = 0;
    expect(await run({ constraint, logitBias })).toMatchObject({ ids: [7, 11], end: { reason: 'stop' } });
    taken.length = 0;
    const over = await run({
      constraint,
      logitBias: new Map([[4, 1000]]),
      maxTokens: 3,
      temperature: 1,
      seed: 1,
    });
    expect(over.ids.slice(1)).toEqual([11, 4]);
    expect(over.end).toMatchObject({ reason: 'stop', tokens: 3 });
  });

  it('begins a text behind a control token, and goes on with one elsewhere', async () => {
    const starts: (boolean | undefined)[] = [];
    const decoder = ({ start }: { readonly start?: boolean } = {}) => {
      starts.push(start);
      return letters.decoder();
    };
    for (const control of [12, 70]) {
      session.rewind(0);
      const tokenizer = { ...letters, decoder, isControl: (id: number) => id === control };
      await generate(session, tokenizer, PROMPT, { maxTokens: 1 }).next();
    }
    expect(starts).toEqual([true, false]);
  });

  it('refuses an empty prompt', async () => {
    await expect(generate(session, letters, new Int32Array(0)).next()).rejects.toThrow(
      'the prompt has no token',
    );
  });
});
