/** Page and worker talk over a real channel, in one thread of Node, about the embedded model. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { phi3TinyQ8 } from '../../../../../test/phi3-tiny-file.ts';
import {
  type AnswerEnd,
  type ChatRequest,
  type Delta,
  type Provider,
  ProviderError,
} from '../../provider.ts';
import { joined } from './joined.ts';
import { LocalModels, type Started } from './models.ts';
import { serve } from './serving.ts';

/** The worker's script run on this thread. */
function startHere(): Started {
  const { port1, port2 } = new MessageChannel();
  serve(port2 as never, () => {
    throw new Error('one thread needs no others');
  });
  return { port: port1 as never, onDeath: () => {}, end: () => port1.close() };
}

const models = new LocalModels(startHere);
let id: string;

beforeAll(async () => {
  const file = new File([(await phi3TinyQ8()) as BlobPart], 'phi3-tiny-Q8_0.gguf');
  ({ id } = await models.open({ kind: 'files', files: [file] }));
});
afterAll(() => models.close(id));

const ask = (question: string, more: Partial<ChatRequest> = {}): ChatRequest => ({
  model: id,
  messages: [{ role: 'user', content: question }],
  parameters: { temperature: 0 },
  signal: new AbortController().signal,
  ...more,
});

async function all(answer: AsyncGenerator<Delta, AnswerEnd>): Promise<{ deltas: Delta[]; end: AnswerEnd }> {
  const deltas: Delta[] = [];
  for (;;) {
    const { done, value } = await answer.next();
    if (done) return { deltas, end: value };
    deltas.push(value);
  }
}

const CAPITAL = 'What is the capital of France?';

test('what is known of an opened model', async () => {
  expect(await models.provider.models()).toEqual([
    {
      id: 'phi3-tiny-Q8_0 (in this browser)',
      fileType: 'Q8_0',
      contextSize: expect.any(Number),
      bytes: expect.any(Number),
    },
  ]);
  expect(models.busy.value).toBe('');
});

test('it answers in pieces, with its counts', async () => {
  const { deltas, end } = await all(models.provider.chat(ask(CAPITAL)));
  expect(deltas.map(({ text }) => text).join('')).toMatch(/Paris/);
  expect(deltas.length).toBeGreaterThan(1);
  expect(end).toMatchObject({ reason: 'stop', completionTokens: expect.any(Number) });
  expect(end.promptTokens).toBeGreaterThan(5);
});

test('tokens are told with their alternatives; read again they have the same probabilities', async () => {
  const { deltas } = await all(models.provider.chat(ask(CAPITAL, { logprobs: 3 })));
  const tokens = deltas.flatMap((delta) => delta.tokens ?? []);
  const answer = deltas.map(({ text }) => text).join('');
  for (const { token, logprob, top } of tokens) {
    expect(top).toHaveLength(3);
    expect(top[0]).toEqual({ token, logprob });
  }
  const { messages, signal } = ask(CAPITAL);
  const scored = (await models.provider.score?.({ model: id, messages, answer, top: 3, signal })) ?? [];
  expect(scored.map(({ token }) => token.trim())).toEqual(tokens.map(({ token }) => token.trim()));
  // A prompt in one piece rounds elsewhere than tokens one at a time.
  for (const [i, { logprob }] of scored.entries()) expect(logprob).toBeCloseTo(tokens[i].logprob, 1);
});

test('embeddings have unit length, and like texts are alike', async () => {
  const vectors = await models.provider.embed(id, [
    CAPITAL,
    'What is the capital of Spain?',
    'Add 12 and 7.',
  ]);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  expect(dot(vectors[0], vectors[0])).toBeCloseTo(1, 4);
  expect(dot(vectors[0], vectors[1])).toBeGreaterThan(dot(vectors[0], vectors[2]));
});

test('a stop ends the answer where it is, and the next one works', async () => {
  const stop = new AbortController();
  const answer = models.provider.chat(ask('Write a long story.', { signal: stop.signal }));
  await answer.next();
  stop.abort();
  const { end } = await all(answer);
  expect(end.reason).toBe('aborted');
  expect(
    (await all(models.provider.chat(ask(CAPITAL, { parameters: { max_tokens: 2 } })))).end,
  ).toMatchObject({
    reason: 'length',
    completionTokens: 2,
  });
});

test('whoever leaves in the middle leaves nothing running', async () => {
  for await (const _ of models.provider.chat(ask('Write a long story.'))) break;
  expect((await all(models.provider.chat(ask(CAPITAL)))).end.reason).toBe('stop');
});

test('what is no model is told in a sentence', async () => {
  const file = new File(['hello'], 'x.gguf');
  const opening = models.open({ kind: 'files', files: [file] });
  await expect(opening).rejects.toThrow(ProviderError);
  await expect(opening).rejects.toThrow(/it is no GGUF file/);
  expect(models.list.value).toHaveLength(1);
});

test('a model that stops by itself fails what waits for it', async () => {
  let die: (reason: string) => void = () => {};
  const silent: Started = {
    port: new MessageChannel().port1 as never,
    onDeath: (handler) => (die = handler),
    end: () => {},
  };
  const opening = new LocalModels(() => silent).open({ kind: 'url', url: 'http://x/y/m-Q4_K_M.gguf' });
  die('out of memory');
  await expect(opening).rejects.toThrow('The model m-Q4_K_M.gguf stopped: out of memory.');
});

test('together with a server: each answers for its own, and a server that is away takes nothing with it', async () => {
  const asked: string[] = [];
  const server: Provider = {
    name: 'server',
    models: async () => [{ id: 'big' }],
    embed: async () => [],
    // biome-ignore lint/correctness/useYield: an answer without text
    chat: async function* ({ model }) {
      asked.push(model);
      return { reason: 'stop', promptTokens: 1, completionTokens: 0 };
    },
  };
  const both = joined(server, models);
  expect((await both.models()).map((info) => info.id)).toEqual(['big', id]);
  await all(both.chat(ask('Hi', { model: 'big' })));
  await all(both.chat(ask(CAPITAL, { parameters: { max_tokens: 1 } })));
  expect(asked).toEqual(['big']);
  const away = { ...server, models: () => Promise.reject(new ProviderError('No answer.')) };
  expect((await joined(away, models).models()).map((info) => info.id)).toEqual([id]);
  await expect(joined(away, new LocalModels(startHere)).models()).rejects.toThrow('No answer.');
});
