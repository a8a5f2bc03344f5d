import { describe, expect, it } from 'vitest';
import type { Tokenizer } from '../../text/index.ts';
import {
  type AnswerEnd,
  type GeneratedToken,
  type GenerationOptions,
  generate,
  type ModelService,
  openService,
  type RequestOptions,
} from '../index.ts';
import {
  ScriptedSequences,
  type ScriptOptions,
  scriptedSession,
  VOCABULARY,
  WIDTH,
} from './scripted.cases.ts';

/** Ids as letters, `a` for 0; nothing ends a text. */
const letters = {
  vocabularySize: VOCABULARY,
  isEndOfGeneration: () => false,
  isControl: () => false,
  decoder: () => ({ push: (id: number) => String.fromCharCode(97 + (id % 26)), flush: () => '' }),
} as unknown as Tokenizer;

function open(options: ScriptOptions, queue = 100): { service: ModelService; sequences: ScriptedSequences } {
  const sequences = new ScriptedSequences(options);
  return { sequences, service: openService({ sequences, tokenizer: letters, width: WIDTH, queue }) };
}

interface Answered {
  readonly ids: readonly number[];
  readonly end: AnswerEnd;
}

async function collect<E>(tokens: AsyncGenerator<GeneratedToken, E>): Promise<{ ids: number[]; end: E }> {
  const ids: number[] = [];
  for (;;) {
    const { value, done } = await tokens.next();
    if (done) return { ids, end: value };
    ids.push(value.id);
  }
}

const ask = (service: ModelService, ids: Int32Array, options: RequestOptions = {}): Promise<Answered> =>
  collect(service.answer(ids, { maxTokens: 8, ...options }));

/** What one alone generates. */
async function alone(ids: Int32Array, options: GenerationOptions = {}): Promise<readonly number[]> {
  return (await collect(generate(scriptedSession(), letters, ids, { maxTokens: 8, ...options }))).ids;
}

const prompt = (length: number, seed = 1): Int32Array =>
  Int32Array.from({ length }, (_, i) => (i * 7 + seed * 13 + i * seed) % 40);

describe('a service', () => {
  it('answers many at once as one after the other, in runs that they share', async () => {
    const { service, sequences } = open({ count: 4 });
    const prompts = [5, 9, 30, 2].map(prompt);
    const options = [
      {},
      { temperature: 1, seed: 5 },
      { repetitionPenalty: 1.5 },
      { temperature: 2, topP: 0.9, seed: 1 },
    ];
    const answers = await Promise.all(prompts.map((ids, i) => ask(service, ids, options[i])));
    for (const [i, { ids }] of answers.entries()) expect(ids).toEqual(await alone(prompts[i], options[i]));
    // All prompts in one run; then seven runs of one token each.
    expect(sequences.runs.map((parts) => parts.map(({ tokens }) => tokens.length))).toEqual([
      [5, 9, 30, 2],
      ...Array.from({ length: 7 }, () => [1, 1, 1, 1]),
    ]);
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
});
