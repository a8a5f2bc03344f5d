/** A service on real (tiny, random) models: each stream has what it generates alone in a session. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTinyModel, type TinyModel } from '../../../test/tiny-models.ts';
import { referenceBackend, wasmBackend } from '../../backends/index.ts';
import { type Tokenizer, tokenizerOf } from '../../text/index.ts';
import {
  Engine,
  type GenerationOptions,
  generate,
  logprobsOf,
  type ModelService,
  openSequences,
  openService,
  Session,
} from '../index.ts';
import { ask, collect } from './scripted.cases.ts';

const COUNT = 4;
/** Below `contextSize`, so that sequences run out of it. */
const LONG = 60;

const BACKENDS = {
  reference: async () => referenceBackend(),
  wasm: () => wasmBackend({ relaxed: false }),
} as const;

const CASES: readonly (readonly [keyof typeof BACKENDS, TinyModel])[] = [
  ['reference', 'phi3'],
  ['wasm', 'phi3-gqa-window'],
  ['wasm', 'llama-gqa-tied'],
];

const OPTIONS: readonly GenerationOptions[] = [
  { maxTokens: 12 },
  { maxTokens: 9, temperature: 0.8, topK: 40, topP: 0.9, seed: 4 },
  { maxTokens: 30, temperature: 1.4, seed: 9 },
  { maxTokens: 12, repetitionPenalty: 1.4, frequencyPenalty: 0.5 },
];

describe.each(CASES)('a service on %s, %s', (backendName, model) => {
  let engine: Engine;
  let session: Session;
  let service: ModelService;
  let tokenizer: Tokenizer;

  beforeAll(async () => {
    const file = await openTinyModel(model);
    const backend = await BACKENDS[backendName]();
    engine = await Engine.open(file, { backend, contextSize: 64, sequences: COUNT });
    session = await Session.open(engine);
    tokenizer = tokenizerOf(file);
    const sequences = await openSequences(engine, COUNT);
    service = openService({ sequences, tokenizer, width: engine.model.hyper.width, queue: 100 });
  });
  afterAll(async () => {
    await service.close();
    session.close();
    engine.close();
    engine.backend.close();
  });

  /** Seeded ids above those of control tokens. */
  const prompt = (length: number, seed: number) =>
    Int32Array.from({ length }, (_, i) => 10 + ((31 * seed + 17 * i + ((seed * i * i) % 7)) % 80));

  async function alone(ids: Int32Array, options: GenerationOptions) {
    session.rewind(0);
    return collect(generate(session, tokenizer, ids, options));
  }

  it('answers ten at once in four slots as one after the other', async () => {
    const prompts = [5, 17, 1, 40, LONG, 5, 17, 3, 33, 2].map((length, i) => prompt(length, i % 5));
    const options = prompts.map((_, i) => OPTIONS[i % OPTIONS.length]);
    const answers = await Promise.all(prompts.map((ids, i) => ask(service, ids, options[i])));
    for (const [i, { ids, end }] of answers.entries()) {
      const expected = await alone(prompts[i], options[i]);
      expect(ids).toEqual(expected.ids);
      expect(end).toMatchObject(expected.end);
    }
    const { runs, runTokens, active } = service.stats();
    expect(runTokens / runs).toBeGreaterThan(2);
    expect(active).toBe(0);
  });

  it('gives answers to one prompt, computed once, that are those of many', async () => {
    const ids = prompt(30, 8);
    const before = service.stats();
    const answers = await Promise.all(OPTIONS.map((options) => ask(service, ids, options)));
    for (const [i, answer] of answers.entries())
      expect(answer.ids).toEqual((await alone(ids, OPTIONS[i])).ids);
    expect(service.stats().promptTokens - before.promptTokens).toBe(30 + 3);
    expect(service.stats().reusedTokens - before.reusedTokens).toBe(3 * 29);
  });

  it('scores tokens as generations tell them, while others are answered', async () => {
    const ids = prompt(25, 3);
    const [scored] = await Promise.all([
      service.score(ids, { top: 4 }),
      ask(service, prompt(9, 1), OPTIONS[2]),
    ]);
    session.rewind(0);
    for (let i = 0; i + 1 < ids.length; i++) {
      const { logprob, top } = logprobsOf(await session.feed(ids.slice(i, i + 1)), ids[i + 1], 4);
      expect(scored[i].logprob).toBeCloseTo(logprob, 4);
      expect(scored[i].top.map((one) => one.id)).toEqual(top.map((one) => one.id));
    }
  });

  it('embeds a text in whatever pieces alike, in a direction that depends on it', async () => {
    const [a, b] = [prompt(20, 1), prompt(20, 2)];
    const [first, other] = await Promise.all([
      service.embed(a),
      service.embed(b),
      ask(service, prompt(9, 1)),
    ]);
    const again = await service.embed(a);
    const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
    expect(first.length).toBe(service.width);
    expect(dot(first, first)).toBeCloseTo(1, 6);
    expect(again).toEqual(first);
    expect(dot(first, other)).toBeLessThan(0.999);
    const last = await service.embed(a, { pooling: 'last' });
    expect(await service.embed(a, { pooling: 'last' })).toEqual(last);
    expect(dot(last, last)).toBeCloseTo(1, 6);
  });
});
