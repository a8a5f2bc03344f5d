/** Two scripted models side by side: what is told while they answer, and what is kept. */
import { expect, test } from 'vitest';
import { type AnswerEnd, type ChatRequest, type Delta, type Provider, ProviderError } from '../provider.ts';
import { compare, counterpart, percent, visible } from './comparison.ts';
import { conversationOf, fileNameOf, markdownOf, recordOf } from './record.ts';
import { type Contender, type Pair, runMatch, type Side } from './run.ts';

const ANSWERS: Readonly<Record<string, string>> = {
  q8: 'The| capital| is| Paris|.',
  q2: 'The| capital| was| Paris|.',
};

/** Says its tokens; a model that is not there fails. Writes down who asked when. */
function provider(log: string[] = []): Provider {
  return {
    name: 'scripted',
    models: async () => [],
    embed: async () => [],
    chat: async function* ({ model, logprobs }: ChatRequest): AsyncGenerator<Delta, AnswerEnd> {
      log.push(`${model} begins`);
      const tokens = ANSWERS[model]?.split('|');
      if (!tokens) throw new ProviderError('There is no such model.');
      for (const token of tokens) {
        yield logprobs === undefined
          ? { text: token }
          : { text: token, tokens: [{ token, logprob: -0.5, top: [] }] };
      }
      log.push(`${model} ends`);
      return { reason: 'stop', promptTokens: 3, completionTokens: tokens.length };
    },
  };
}

const MESSAGES = [{ role: 'user', content: 'What is the capital of France?' }] as const;

function contenders(models: Pair<string>, from: Provider): Pair<Contender> {
  const one = (id: string): Contender => ({
    provider: from,
    model: { id, fileType: id.toUpperCase() },
    parameters: { temperature: 0, seed: 1 },
  });
  return [one(models[0]), one(models[1])];
}

async function run(models: Pair<string>, inTurn = false) {
  const log: string[] = [];
  const seen: Pair<Side>[] = [];
  const sides = await runMatch({
    messages: MESSAGES,
    contenders: contenders(models, provider(log)),
    inTurn,
    signal: new AbortController().signal,
    onChange: (change) => seen.push(change),
  });
  return { sides, seen, log };
}

test('both answer at once, or one after the other', async () => {
  expect((await run(['q8', 'q2'])).log).toEqual(['q8 begins', 'q2 begins', 'q8 ends', 'q2 ends']);
  expect((await run(['q8', 'q2'], true)).log).toEqual(['q8 begins', 'q8 ends', 'q2 begins', 'q2 ends']);
});

test('what is told begins with waiting and ends with all of both', async () => {
  const { seen, sides } = await run(['q8', 'q2']);
  expect(seen[0].map(({ state }) => state)).toEqual(['waiting', 'waiting']);
  expect(seen.at(-1)).toEqual(sides);
  expect(sides.map(({ state, text }) => [state, text])).toEqual([
    ['done', 'The capital is Paris.'],
    ['done', 'The capital was Paris.'],
  ]);
});

test('one that fails does not take the other with it', async () => {
  const { sides } = await run(['missing', 'q2']);
  expect(sides[0]).toMatchObject({ state: 'failed', failure: 'There is no such model.' });
  expect(sides[1].state).toBe('done');
});

test('the answers line up, and tokens know their counterparts', async () => {
  const { sides } = await run(['q8', 'q2']);
  const { kind, segments, agreement } = compare(sides);
  expect(kind).toBe('token');
  expect(segments.map((segment) => segment.kind)).toEqual(['equal', 'different', 'equal']);
  expect(agreement).toEqual({ firstDifference: 2, equal: 4, share: 0.8 });
  expect(counterpart(segments, 0, 3)).toBe(3);
  expect(counterpart(segments, 0, 2)).toBeUndefined();
});

test('a record in JSON, in Markdown and as a conversation with two branches', async () => {
  const { sides } = await run(['q8', 'q2']);
  const comparison = compare(sides);
  const record = recordOf(MESSAGES, sides, comparison, new Date('2026-01-02T03:04:05Z'));
  const again = JSON.parse(JSON.stringify(record));
  expect(again).toMatchObject({
    bitmill: 'comparison',
    version: 1,
    firstDifference: 2,
    equal: 4,
    share: 0.8,
  });
  expect(again.sides[1].tokens[2]).toEqual({ token: ' was', logprob: -0.5, top: [] });
  expect(fileNameOf(record, 'json')).toBe('q8-vs-q2-2026-01-02.json');
  const markdown = markdownOf(record, comparison);
  expect(markdown).toContain('First difference at token 3; 80 % of the tokens are equal.');
  expect(markdown).toContain('| ≠ |  is |  was |\n| = |  Paris. |  Paris. |');
  const { title, tree } = conversationOf(record, 'id', 1000);
  expect(title).toBe('What is the capital of France?');
  expect(tree.turns.map(({ content }) => content)).toEqual([
    'What is the capital of France?',
    'The capital is Paris.',
    'The capital was Paris.',
  ]);
  expect(tree.chosen).toEqual({ '': 'id-q', 'id-q': 'id-A' });
});

test('probabilities and tokens as people read them', () => {
  expect([0, Math.log(0.9995), Math.log(0.994), Math.log(0.64), Math.log(0.021), -20].map(percent)).toEqual([
    '100 %',
    '100 %',
    '99.4 %',
    '64 %',
    '2.1 %',
    'under 0.1 %',
  ]);
  expect([' Paris', '\n\n', 'a\tb', '', 'x'].map(visible)).toEqual(['␣Paris', '↵↵', 'a⇥b', '∅', 'x']);
});
