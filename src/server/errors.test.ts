import { describe, expect, it } from 'vitest';
import { BitmillError } from '../core/index.ts';
import { ApiError, apiError } from './errors.ts';
import { framesOf, HELLO, setup } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';

/** A request, and the field and a part of the message that its refusal names. */
const WRONG: readonly (readonly [string, object, string, string])[] = [
  ['no messages', { messages: undefined }, 'messages', 'expected array'],
  ['empty messages', { messages: [] }, 'messages', '>=1'],
  [
    'a role that is not known',
    { messages: [{ role: 'robot', content: 'a' }] },
    'messages[0].role',
    '"robot"',
  ],
  [
    'content of a wrong type',
    { messages: [{ role: 'user', content: 5 }] },
    'messages[0].content',
    'expected string',
  ],
  [
    'a picture',
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
    'messages[0].content[0].type',
    '"image_url" is not supported',
  ],
  ['a temperature below zero', { temperature: -1 }, 'temperature', '>=0'],
  ['a top_p of zero', { top_p: 0 }, 'top_p', '>0'],
  ['the first Mirostat', { mirostat: 1 }, 'mirostat', 'neither 0 (off) nor 2'],
  ['a string for a number', { max_tokens: '5' }, 'max_tokens', 'expected number'],
  ['no tokens at most', { max_tokens: 0 }, 'max_tokens', '>=1'],
  ['half a token at most', { max_tokens: 1.5 }, 'max_tokens', 'expected int'],
  ['too many alternatives', { logprobs: true, top_logprobs: 21 }, 'top_logprobs', '<=20'],
  ['alternatives of tokens that are not told', { top_logprobs: 2 }, 'top_logprobs', '"logprobs": true'],
  ['too many stops', { stop: Array(17).fill('x') }, 'stop', '<=16'],
  ['too many answers', { n: 17 }, 'n', '17 answers; 16 are allowed'],
  ['a bias of no token', { logit_bias: { 100000: 1 } }, 'logit_bias', '100000 does not exist'],
  ['a bias of a word', { logit_bias: { word: 1 } }, 'logit_bias.word', ''],
  ['an overflow that is not known', { overflow: 'wrap' }, 'overflow', '"shift"'],
  ['functions', { functions: [{ name: 'f' }] }, 'functions', 'use "tools"'],
  ['a format that is not known', { response_format: { type: 'xml' } }, 'response_format.type', ''],
  [
    'a variable of the server',
    { chat_template_kwargs: { messages: [] } },
    'chat_template_kwargs',
    'messages',
  ],
];

describe('a request that is not as it has to be', () => {
  it.each(WRONG)('%s', async (_, change, param, message) => {
    const { post, service } = setup();
    const { status, body } = await post(CHAT, { ...HELLO, ...change });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ type: 'invalid_request_error', param });
    expect(body.error.message).toContain(message);
    expect(body.error.message).toContain(param);
    expect(service.requests).toEqual([]);
  });

  it('is no JSON, or not declared as JSON', async () => {
    const { post, ask } = setup();
    const broken = await post(CHAT, '{"messages": [');
    expect(broken.status).toBe(400);
    expect(broken.body.error).toMatchObject({ type: 'invalid_request_error', param: null });
    const form = await ask(CHAT, HELLO, { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
    expect(form.status).toBe(415);
    expect((await form.json()).error.message).toContain('content-type: application/json');
    const array = await post(CHAT, []);
    expect(array.status).toBe(400);
  });

  it('carries fields that are not listed: they are ignored, as are nulls', async () => {
    const { post } = setup();
    const extras = { store: true, metadata: { a: 1 }, service_tier: 'auto', temperature: null, tools: null };
    expect((await post(CHAT, { ...HELLO, ...extras, functions: null })).status).toBe(200);
  });
});

describe('what is not there', () => {
  it('a model: 404 with the names of those that are', async () => {
    const { post, get } = setup();
    const { status, body } = await post(CHAT, { ...HELLO, model: 'gpt-4' });
    expect(status).toBe(404);
    expect(body.error).toEqual({
      message: 'model: "gpt-4" does not exist; this server has fake',
      type: 'invalid_request_error',
      param: 'model',
      code: 'model_not_found',
    });
    expect((await get('/v1/models/a/b')).body.error.message).toContain('"a/b"');
  });

  it('a route: 404; another method: 405 with those that are taken', async () => {
    const { get, app } = setup();
    const none = await get('/v1/nothing');
    expect(none.status).toBe(404);
    expect(none.body.error).toMatchObject({ type: 'invalid_request_error', code: 'unknown_url' });
    const wrong = await get(CHAT);
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(wrong.body.error.message).toBe(`GET ${CHAT}: this route takes POST`);
    expect((await app.request('/v1/models', { method: 'DELETE' })).headers.get('allow')).toBe('GET, HEAD');
  });

  it('a chat template: plain text is the way', async () => {
    const { post } = setup({ fake: { template: undefined } });
    const { status, body } = await post(CHAT, HELLO);
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ param: 'model', code: 'no_chat_template' });
    expect((await post('/v1/completions', { prompt: 'a' })).status).toBe(200);
  });
});

describe('a failure below', () => {
  it('busy: 429 with the seconds after which to try again, also for streams', async () => {
    for (const stream of [false, true]) {
      const { ask, service } = setup({ fake: { slots: 1, queue: 0 } });
      const holder = service.answer(Int32Array.of(1));
      await holder.next();
      const response = await ask(CHAT, { ...HELLO, stream });
      expect(response.status).toBe(429);
      expect(response.headers.get('retry-after')).toBe('3');
      expect((await response.json()).error).toMatchObject({
        type: 'rate_limit_error',
        code: 'rate_limit_exceeded',
      });
      await holder.return({ reason: 'aborted', tokens: 0, text: '', promptTokens: 1, reusedTokens: 0 });
    }
  });

  it('a fault of ours: 500 without internals, which only the shell hears', async () => {
    const faults: unknown[] = [];
    const fake = {
      script: () => {
        throw new TypeError('secret path');
      },
    };
    const { post } = setup({ fake, extras: { onFault: (error) => faults.push(error) } });
    const { status, body } = await post(CHAT, HELLO);
    expect(status).toBe(500);
    expect(body.error).toEqual({
      message: 'the server failed to answer this request',
      type: 'server_error',
      param: null,
      code: 'internal_error',
    });
    expect(faults).toEqual([new TypeError('secret path')]);
  });

  it('inside a stream: an event of its own, and no [DONE]', async () => {
    const faults: unknown[] = [];
    const fake = {
      pace: async (index: number) => {
        if (index === 2) throw new Error('broken');
      },
    };
    const { ask, service } = setup({ fake, extras: { onFault: (error) => faults.push(error) } });
    const response = await ask(CHAT, { ...HELLO, stream: true });
    expect(response.status).toBe(200);
    const frames = await framesOf(response);
    expect(frames).toHaveLength(4);
    expect(frames.at(-1)).toBe(
      'event: error\ndata: {"error":{"message":"the server failed to answer this request",' +
        '"type":"server_error","param":null,"code":"internal_error"}}',
    );
    expect(faults).toEqual([new Error('broken')]);
    expect(service.active).toBe(0);
  });

  it('has the status that its kind has', () => {
    expect(apiError(new BitmillError('usage', 'no')).status).toBe(400);
    expect(apiError(new BitmillError('input', 'no', { hint: 'do so' })).message).toBe('no (do so)');
    expect(apiError(new BitmillError('resources', 'full'))).toMatchObject({
      status: 503,
      code: 'overloaded',
    });
    expect(apiError(new BitmillError('failure', 'x'))).toMatchObject({ status: 500 });
    const own = new ApiError(418, 'tea');
    expect(apiError(own)).toBe(own);
  });
});
