/** The provider over HTTP against scripted servers: what it asks, what it makes of answers, and how it fails. */
import { expect, test } from 'vitest';
import type { AnswerEnd, ChatRequest, Delta, ProviderError } from '../provider.ts';
import { normalBaseUrl, openAiProvider } from './openai.ts';

interface Asked {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown> | undefined;
}

/** A provider whose server gives `answers`, one after the other, and what it was asked. */
function scripted(...answers: readonly (Response | Error)[]) {
  const asked: Asked[] = [];
  const queue = [...answers];
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    asked.push({
      url: String(url),
      method: init.method ?? 'GET',
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? JSON.parse(init.body) : undefined,
    });
    const next = queue.shift();
    if (!next || next instanceof Error) throw next ?? new TypeError('Failed to fetch');
    return next;
  };
  return { provider: openAiProvider({ baseUrl: 'http://host:1', apiKey: 'secret', fetch }), asked };
}

/** A stream of events, byte by byte. */
function events(...list: readonly unknown[]): Response {
  const text = list.map((one) => `data: ${one === '[DONE]' ? one : JSON.stringify(one)}\n\n`).join('');
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (at < bytes.length) controller.enqueue(bytes.slice(at, ++at));
      else controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

const piece = (content: string, more = {}) => ({ choices: [{ index: 0, delta: { content }, ...more }] });
const END = { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
const USAGE = { choices: [], usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 } };

const request = (more: Partial<ChatRequest> = {}): ChatRequest => ({
  model: 'phi3-tiny',
  messages: [{ role: 'user', content: 'Hi' }],
  parameters: { temperature: 0, top_k: 40 },
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

test('an answer streams byte by byte, with its counts', async () => {
  const role = { choices: [{ index: 0, delta: { role: 'assistant', content: '' } }] };
  const { provider, asked } = scripted(events(role, piece('Grüß'), piece(' Gott 👋'), END, USAGE, '[DONE]'));
  const { deltas, end } = await all(provider.chat(request()));
  expect(deltas).toEqual([{ text: 'Grüß' }, { text: ' Gott 👋' }]);
  expect(end).toEqual({ reason: 'stop', promptTokens: 12, completionTokens: 3 });
  expect(asked[0].url).toBe('http://host:1/v1/chat/completions');
  expect(asked[0].headers.get('authorization')).toBe('Bearer secret');
  expect(asked[0].body).toEqual({
    model: 'phi3-tiny',
    messages: [{ role: 'user', content: 'Hi' }],
    temperature: 0,
    top_k: 40,
    stream: true,
    stream_options: { include_usage: true },
  });
});

test('tokens come with their probabilities and what else might have come', async () => {
  const content = [
    { token: 'Par', logprob: -0.1, bytes: [80, 97, 114], top_logprobs: [{ token: 'Lon', logprob: -2.5 }] },
    { token: 'is', logprob: -0.01 },
  ];
  const { provider, asked } = scripted(events(piece('Paris', { logprobs: { content } }), END));
  const { deltas, end } = await all(provider.chat(request({ logprobs: 5 })));
  expect(deltas).toEqual([
    {
      text: 'Paris',
      tokens: [
        { token: 'Par', logprob: -0.1, top: [{ token: 'Lon', logprob: -2.5 }] },
        { token: 'is', logprob: -0.01, top: [] },
      ],
    },
  ]);
  expect(end).toEqual({ reason: 'stop', promptTokens: 0, completionTokens: 2 });
  expect(asked[0].body).toMatchObject({ logprobs: true, top_logprobs: 5 });
});

test('an answer that was long enough says so', async () => {
  const cut = { choices: [{ index: 0, delta: {}, finish_reason: 'length' }] };
  const { provider } = scripted(events(piece('a'), cut, '[DONE]'));
  expect((await all(provider.chat(request()))).end.reason).toBe('length');
});

test('an answer that the server’s check has cut is told as such', async () => {
  const cut = { choices: [{ index: 0, delta: {}, finish_reason: 'content_filter' }] };
  const { provider } = scripted(events(piece('a'), cut, '[DONE]'));
  await expect(all(provider.chat(request()))).rejects.toMatchObject({
    message: "The server's safety check ended this answer.",
    detail: { code: 'content_filter' },
  });
});

test('an answer that ends without saying why broke off', async () => {
  const { provider } = scripted(events(piece('a')));
  await expect(all(provider.chat(request()))).rejects.toThrow('ended before the answer was whole');
});

test('an error in the middle of a stream is told with the server’s words', async () => {
  const { provider } = scripted(events(piece('a'), { error: { message: 'out of memory', type: 'server' } }));
  await expect(all(provider.chat(request()))).rejects.toThrow('The answer broke off: out of memory');
});

test('a stop in the middle keeps what came', async () => {
  const stop = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(piece('some'))}\n\n`));
      stop.signal.addEventListener('abort', () => controller.error(stop.signal.reason));
    },
  });
  const { provider } = scripted(new Response(body));
  const answer = provider.chat(request({ signal: stop.signal }));
  expect(await answer.next()).toEqual({ done: false, value: { text: 'some' } });
  stop.abort();
  expect(await answer.next()).toEqual({
    done: true,
    value: { reason: 'aborted', promptTokens: 0, completionTokens: 1 },
  });
});

const errorBody = JSON.stringify({ error: { message: 'no such key', type: 'bad', code: 'invalid_api_key' } });

test.each([
  [401, {}, 'The server wants an API key that it knows: set it in the settings. It says: no such key'],
  [429, { 'retry-after': '7' }, 'The server is busy: try again in 7 s. It says: no such key'],
  [503, {}, 'The server takes no requests now: try again in a moment. It says: no such key'],
  [418, {}, 'The server refused this (HTTP 418): no such key'],
])('HTTP %d is a sentence', async (status, headers, message) => {
  const { provider } = scripted(new Response(errorBody, { status, headers }));
  await expect(all(provider.chat(request()))).rejects.toMatchObject({
    name: 'ProviderError',
    status,
    message,
    detail: { code: 'invalid_api_key' },
  });
});

test('a date to try again after is told in seconds', async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const { provider } = scripted(new Response('slow down', { status: 429, headers: { 'retry-after': date } }));
  const error = await provider.models().catch((thrown: unknown) => thrown as ProviderError);
  expect((error as ProviderError).detail.retryAfter).toBeGreaterThan(3500);
  expect((error as ProviderError).detail.retryAfter).toBeLessThanOrEqual(3600);
});

test('a token that is part of a character shows its bytes', async () => {
  const content = [{ token: '\ufffd', logprob: -1, bytes: [0xf0, 0x9f], top_logprobs: [] }];
  const { provider } = scripted(events(piece('', { logprobs: { content } }), END));
  const { deltas } = await all(provider.chat(request({ logprobs: 0 })));
  expect(deltas).toEqual([{ text: '', tokens: [{ token: '<F0><9F>', logprob: -1, top: [] }] }]);
});

test('an error page in HTML is not shown', async () => {
  const { provider } = scripted(new Response('<html>Bad gateway</html>', { status: 502 }));
  await expect(provider.models()).rejects.toThrow(/^The server refused this \(HTTP 502\)\.$/);
});

test('no server at all', async () => {
  const { provider } = scripted();
  await expect(provider.models()).rejects.toThrow('No answer from http://host:1/v1: is the server running');
});

test('something else than an API', async () => {
  const { provider } = scripted(new Response('<html></html>'));
  await expect(provider.models()).rejects.toThrow("The server's list of models cannot be read");
});

test('models, with what is known of them', async () => {
  const data = [{ id: 'a', object: 'model', file_type: 'Q4_K_M', context_size: 4096, size: 9 }, { id: 'b' }];
  const { provider, asked } = scripted(Response.json({ object: 'list', data }));
  expect(await provider.models()).toEqual([
    { id: 'a', fileType: 'Q4_K_M', contextSize: 4096, bytes: 9 },
    { id: 'b' },
  ]);
  expect(asked[0]).toMatchObject({ url: 'http://host:1/v1/models', method: 'GET' });
});

test('embeddings come in the order of the texts, of unit length, and not all in one request', async () => {
  const texts = Array.from({ length: 33 }, (_, i) => `text ${i}`);
  const first = Array.from({ length: 32 }, (_, i) => ({ index: 31 - i, embedding: [0, 31 - i + 1] }));
  const { provider, asked } = scripted(
    Response.json({ data: first }),
    Response.json({ data: [{ index: 0, embedding: [3, 4] }] }),
  );
  const vectors = await provider.embed('m', texts);
  expect(vectors).toHaveLength(33);
  expect(vectors[0]).toEqual(Float32Array.of(0, 1));
  expect(vectors[32]).toEqual(Float32Array.of(0.6, 0.8));
  expect(asked.map(({ body }) => (body as { input: string[] }).input.length)).toEqual([32, 1]);
});

test('embeddings that are missing are an error', async () => {
  const { provider } = scripted(Response.json({ data: [] }));
  await expect(provider.embed('m', ['a'])).rejects.toThrow('0 embeddings for 1 texts');
});

test('a given answer is scored by an echo; the tokens of the prompt are counted, and left out', async () => {
  const logprobs = {
    tokens: ['<|user|>', 'Hi', 'Par', 'is'],
    token_logprobs: [null, -3, -0.1, -0.2],
    top_logprobs: [null, { Ho: -1 }, { Lon: -2.5, Par: -0.1 }, null],
  };
  const { provider, asked } = scripted(
    Response.json({ prompt: '<|user|>Hi' }),
    Response.json({ choices: [{ text: '' }], usage: { prompt_tokens: 2, completion_tokens: 0 } }),
    Response.json({ choices: [{ text: '', logprobs }] }),
  );
  const { model, messages, signal } = request();
  expect(await provider.score?.({ model, messages, answer: 'Paris', top: 5, signal })).toEqual([
    {
      token: 'Par',
      logprob: -0.1,
      top: [
        { token: 'Par', logprob: -0.1 },
        { token: 'Lon', logprob: -2.5 },
      ],
    },
    { token: 'is', logprob: -0.2, top: [] },
  ]);
  expect(asked.map(({ url }) => url).slice(0, 2)).toEqual([
    'http://host:1/apply-template',
    'http://host:1/v1/completions',
  ]);
  expect(asked[1].body).toMatchObject({ prompt: '<|user|>Hi', max_tokens: 0 });
  expect(asked[2].body).toMatchObject({ prompt: '<|user|>HiParis', echo: true, logprobs: 5, max_tokens: 0 });
});

test('a server that cannot score says so', async () => {
  const { provider } = scripted(new Response('', { status: 404 }));
  const { model, messages, signal } = request();
  await expect(provider.score?.({ model, messages, answer: 'x', top: 5, signal })).rejects.toThrow(
    'it has no /apply-template',
  );
});

test('base addresses in all their forms', () => {
  expect(normalBaseUrl('http://a:1')).toBe('http://a:1/v1');
  expect(normalBaseUrl('http://a:1/')).toBe('http://a:1/v1');
  expect(normalBaseUrl(' http://a:1/v1/ ')).toBe('http://a:1/v1');
  expect(normalBaseUrl('http://a/api/v3')).toBe('http://a/api/v3');
  expect(normalBaseUrl('/v1')).toBe('/v1');
  expect(normalBaseUrl('')).toBe('/v1');
});
