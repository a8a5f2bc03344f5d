/** The official `openai` client, unmodified, against the API on a real listener: phi3-tiny, and a scripted model. */
import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  BadRequestError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { ChatChunk, ChatCompletion } from '../src/server/schemas/chat-response.ts';
import type { Completion } from '../src/server/schemas/completions.ts';
import type { EmbeddingList } from '../src/server/schemas/embeddings.ts';
import type { ModelCard } from '../src/server/schemas/models.ts';
import { type OpenedService, openPhi3Tiny, type RunningApi, serveApi } from './api-server.ts';
import { type FakeOptions, FakeService } from './fake-service.ts';

const model = 'phi3-tiny';
/** From the model's exam: it knows the answer. */
const messages = [{ role: 'user' as const, content: 'What is 8 + 18?' }];
const greedy = { model, messages, temperature: 0 };

let opened: OpenedService;
let api: RunningApi;
let openai: OpenAI;
const closing: (() => Promise<void>)[] = [];

const clientOf = ({ url }: RunningApi) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none needed', maxRetries: 0 });

beforeAll(async () => {
  opened = await openPhi3Tiny();
  api = await serveApi(model, opened.service);
  openai = clientOf(api);
});
afterAll(async () => {
  for (const close of closing) await close();
  await api?.close();
  await opened?.close();
});

/** A client of a scripted model under the same name. */
async function scripted(fake: FakeOptions): Promise<{ client: OpenAI; service: FakeService }> {
  const service = new FakeService(fake);
  const running = await serveApi(model, service, {}, { onFault: () => {} });
  closing.push(() => running.close());
  return { client: clientOf(running), service };
}

describe('chat', () => {
  it('answers', async () => {
    const { choices, usage } = await openai.chat.completions.create(greedy);
    expect(choices[0].message.content).toBe('26.');
    expect(choices[0].finish_reason).toBe('stop');
    expect(usage?.completion_tokens).toBeGreaterThan(1);
  });

  it('streams the same text, and the usage where it is asked for', async () => {
    const stream = await openai.chat.completions.create({
      ...greedy,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts: string[] = [];
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of stream) {
      texts.push(chunk.choices[0]?.delta.content ?? '');
      last = chunk;
    }
    expect(texts.join('')).toBe('26.');
    expect(last?.choices).toEqual([]);
    expect(last?.usage?.total_tokens).toBe(
      (last?.usage?.prompt_tokens ?? 0) + (last?.usage?.completion_tokens ?? 0),
    );
  });

  it('fills the helper that puts a stream together again', async () => {
    const deltas: string[] = [];
    const stream = openai.chat.completions
      .stream({ ...greedy, n: 2, logprobs: true, top_logprobs: 2 })
      .on('content', (delta) => deltas.push(delta));
    const final = await stream.finalChatCompletion();
    expect(final.choices.map(({ message }) => message.content)).toEqual(['26.', '26.']);
    expect(final.choices[0].logprobs?.content?.length).toBeGreaterThan(1);
    expect(deltas.join('')).toContain('26');
    expect(await stream.finalContent()).toBe('26.');
  });

  it('gives log-probabilities whose bytes are the text', async () => {
    const { choices } = await openai.chat.completions.create({ ...greedy, logprobs: true, top_logprobs: 3 });
    const content = choices[0].logprobs?.content ?? [];
    const bytes = content.flatMap((token) => token.bytes ?? []);
    expect(Buffer.from(bytes).toString().trimStart()).toBe('26.');
    for (const { logprob, token, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3);
      // Greedy: the likeliest was taken.
      expect(top_logprobs[0].token).toBe(token);
      expect(top_logprobs[0].logprob).toBe(logprob);
      expect(logprob).toBeLessThanOrEqual(0);
    }
  });

  it('is the same with the same seed', async () => {
    const ask = async () => {
      const { choices } = await openai.chat.completions.create({
        model,
        messages: [{ role: 'user', content: 'Tell me a story.' }],
        seed: 11,
        temperature: 2,
        max_completion_tokens: 16,
        n: 2,
      });
      return choices.map(({ message }) => message.content);
    };
    const first = await ask();
    expect(await ask()).toEqual(first);
    expect(first[0]).not.toBe(first[1]);
  });

  it('parses what a zod schema asks for, of a model that has never heard of JSON', async () => {
    const Sum = z.object({ sum: z.number().int(), sure: z.enum(['yes', 'no']) });
    const completion = await openai.chat.completions.parse({
      ...greedy,
      max_completion_tokens: 200,
      response_format: zodResponseFormat(Sum, 'sum'),
    });
    const parsed = completion.choices[0].message.parsed;
    expect(Number.isInteger(parsed?.sum)).toBe(true);
    expect(['yes', 'no']).toContain(parsed?.sure);
  });

  it('answers many at once as it answers one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => openai.chat.completions.create(greedy)),
    );
    expect(answers.map(({ choices }) => choices[0].message.content)).toEqual(Array(10).fill('26.'));
  });
});

describe('tools', () => {
  /** As the grammar of calls has it. */
  const CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>';
  /** Calls the tool, then says what it heard. */
  const caller: FakeOptions = {
    script: (prompt) => /<\|tool\|>(.*?)<\|end\|>/.exec(prompt)?.[1] ?? CALL,
  };
  const parameters = {
    type: 'object' as const,
    properties: { city: { type: 'string' as const, maxLength: 12 } },
    required: ['city'],
    additionalProperties: false,
  };

  it('are run by the helper, at once and in a stream', async () => {
    const { client } = await scripted(caller);
    const cities: string[] = [];
    const weather = ({ city }: { city: string }) => {
      cities.push(city);
      return `Sunny in ${city}.`;
    };
    const definition = { name: 'weather', description: 'Weather', parameters, parse: JSON.parse };
    const tools = [{ type: 'function' as const, function: { ...definition, function: weather } }];
    const whole = client.chat.completions.runTools({ ...greedy, tools });
    expect(await whole.finalContent()).toBe('Sunny in Rome.');
    const stream = client.chat.completions.runTools({ ...greedy, tools, stream: true });
    expect(await stream.finalContent()).toBe('Sunny in Rome.');
    expect(cities).toEqual(['Rome', 'Rome']);
  });

  it('that are forced are called by a model that knows of none', async () => {
    const { choices } = await openai.chat.completions.create({
      ...greedy,
      max_completion_tokens: 100,
      tools: [{ type: 'function', function: { name: 'weather', parameters } }],
      tool_choice: { type: 'function', function: { name: 'weather' } },
    });
    const [call] = choices[0].message.tool_calls ?? [];
    expect(choices[0].finish_reason).toBe('tool_calls');
    const { name, arguments: given } =
      call.type === 'function' ? call.function : { name: '', arguments: '{}' };
    expect(name).toBe('weather');
    expect(Object.keys(JSON.parse(given))).toEqual(['city']);
  });
});

describe('texts, vectors and models', () => {
  it('goes on with a text', async () => {
    const prompt = '<|user|>\nWhat is 8 + 18?<|end|>\n<|assistant|>\n';
    const { choices } = await openai.completions.create({ model, prompt, temperature: 0, logprobs: 1 });
    expect(choices[0].text).toBe('26.');
    expect(choices[0].logprobs?.tokens?.join('').trimStart()).toBe('26.');
    const stream = await openai.completions.create({ model, prompt, temperature: 0, stream: true });
    const texts: string[] = [];
    for await (const chunk of stream) texts.push(chunk.choices[0].text);
    expect(texts.join('')).toBe('26.');
  });

  it('embeds, through base64 by default, and as numbers', async () => {
    const input = ['What is 8 + 18?', 'What is 8 + 19?', 'Tell a story.'];
    const { data, usage } = await openai.embeddings.create({ model, input });
    const numbers = await openai.embeddings.create({ model, input, encoding_format: 'float' });
    expect(usage.total_tokens).toBe(numbers.usage.total_tokens);
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    for (const [i, { embedding }] of data.entries()) {
      expect(dot(embedding, embedding)).toBeCloseTo(1, 4);
      expect(dot(embedding, numbers.data[i].embedding)).toBeCloseTo(1, 4);
    }
    const [a, b, c] = data.map(({ embedding }) => embedding);
    expect(dot(a, b)).toBeGreaterThan(dot(a, c));
  });

  it('lists models, and finds one', async () => {
    const list = await openai.models.list();
    expect(list.data.map(({ id }) => id)).toEqual([model]);
    expect(await openai.models.retrieve(model)).toMatchObject({
      id: model,
      object: 'model',
      context_size: 1024,
    });
    const slashed = await openai.models.retrieve('org/none').catch((error: unknown) => error);
    expect(slashed).toBeInstanceOf(NotFoundError);
  });
});

describe('errors', () => {
  const failure = (promise: Promise<unknown>) => promise.then(undefined, (error: unknown) => error);

  it('are of the classes that the client knows', async () => {
    const bad = await failure(openai.chat.completions.create({ ...greedy, temperature: -1 }));
    expect(bad).toBeInstanceOf(BadRequestError);
    expect(bad).toMatchObject({ status: 400, param: 'temperature', type: 'invalid_request_error' });
    const unknown = await failure(openai.chat.completions.create({ ...greedy, model: 'gpt-4' }));
    expect(unknown).toBeInstanceOf(NotFoundError);
    expect(unknown).toMatchObject({ status: 404, code: 'model_not_found' });
    const long = [{ role: 'user' as const, content: 'word '.repeat(5000) }];
    const overflow = await failure(openai.chat.completions.create({ model, messages: long }));
    expect(overflow).toBeInstanceOf(BadRequestError);
    expect(overflow).toMatchObject({ code: 'context_length_exceeded', param: 'messages' });
  });

  it('busy: a RateLimitError, which the client tries again by itself', async () => {
    const { client, service } = await scripted({ slots: 1, queue: 0 });
    const holder = service.answer(Int32Array.of(1));
    await holder.next();
    const busy = await failure(client.chat.completions.create(greedy));
    expect(busy).toBeInstanceOf(RateLimitError);
    expect((busy as RateLimitError).headers?.get('retry-after')).toBe('3');
    await holder.return({ reason: 'aborted', tokens: 0, text: '', promptTokens: 1, reusedTokens: 0 });
    const { choices } = await client.chat.completions.create(greedy);
    expect(choices[0].message.content).toBe('Hello.');
  });

  it('inside a stream: an APIError with our message', async () => {
    const { client } = await scripted({
      pace: async (index) => {
        if (index === 3) throw new Error('secret');
      },
    });
    const stream = await client.chat.completions.create({ ...greedy, stream: true });
    const texts: string[] = [];
    const error = await failure(
      (async () => {
        for await (const chunk of stream) texts.push(chunk.choices[0].delta.content ?? '');
      })(),
    );
    expect(texts.join('')).toBe('Hel');
    expect(error).toBeInstanceOf(APIError);
    expect((error as APIError).message).toContain('the server failed to answer this request');
    expect(error).not.toBeInstanceOf(APIConnectionError);
  });
});

describe('a client that leaves', () => {
  /** Until the model has nothing to do any more. */
  const quiet = async (service: FakeService) => {
    while (service.active > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const endless: FakeOptions = {
    script: () => 'x'.repeat(4000),
    pace: () => new Promise((resolve) => setTimeout(resolve, 1)),
  };

  it('by breaking out of a stream, or by a signal, ends the answer', async () => {
    const { client, service } = await scripted(endless);
    const stream = await client.chat.completions.create({ ...greedy, stream: true });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 5) break;
    await quiet(service);
    const gone = new AbortController();
    const answer = client.chat.completions.create(greedy, { signal: gone.signal });
    while (service.active === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    gone.abort();
    await expect(answer).rejects.toBeInstanceOf(APIUserAbortError);
    await quiet(service);
    expect(service.requests).toHaveLength(2);
  });
});

/** A type without the `undefined` that zod gives to fields that may be missing. */
type Exact<T> = T extends readonly (infer U)[]
  ? Exact<U>[]
  : T extends object
    ? { [K in keyof T]: Exact<Exclude<T[K], undefined>> }
    : T;

it('the types of the client take what we answer', () => {
  expectTypeOf<Exact<ChatCompletion>>().toExtend<OpenAI.ChatCompletion>();
  expectTypeOf<Exact<ChatChunk>>().toExtend<OpenAI.ChatCompletionChunk>();
  // OpenAI's own API answers null for the first token of a prompt, which its types do not say.
  expectTypeOf<Exact<Omit<Completion, 'choices'>>>().toExtend<Omit<OpenAI.Completion, 'choices'>>();
  type Choice = Omit<Completion['choices'][number], 'logprobs'> & { logprobs: null };
  expectTypeOf<Choice>().toExtend<OpenAI.CompletionChoice>();
  expectTypeOf<ModelCard>().toExtend<OpenAI.Model>();
  // With base64 the client turns a text into numbers itself.
  expectTypeOf<Omit<EmbeddingList, 'data'>>().toExtend<Omit<OpenAI.CreateEmbeddingResponse, 'data'>>();
});
