import { describe, expect, it } from 'vitest';
import { type FakeOptions, FakeService } from '../../test/fake-service.ts';
import { type AppExtras, createApp, DEFAULT_SETTINGS, type ServerSettings } from './index.ts';

function appOf(fake: FakeOptions = {}, settings: Partial<ServerSettings> = {}, extras: AppExtras = {}) {
  const service = new FakeService(fake);
  const models = [{ id: 'fake', created: 1_700_000_000, fileType: 'Q4_K_M', service }];
  const app = createApp(models, { ...DEFAULT_SETTINGS, ...settings }, extras);
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...init,
    });
  return { app, service, post };
}

const HELLO = { model: 'fake', messages: [{ role: 'user', content: 'Hi' }] };

describe('POST /v1/chat/completions', () => {
  it('answers', async () => {
    const { post } = appOf();
    const response = await post('/v1/chat/completions', HELLO);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello.', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 6,
        completion_tokens: 6,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
  });

  it('streams', async () => {
    const { post } = appOf({ script: () => 'é!' });
    const response = await post('/v1/chat/completions', {
      ...HELLO,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const text = await response.text();
    const frames = text.split('\n\n').slice(0, -1);
    expect(frames.at(-1)).toBe('data: [DONE]');
    const chunks = frames.slice(0, -1).map((one) => JSON.parse(one.slice('data: '.length)));
    expect(chunks.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'é' },
      { content: '!' },
      {},
      undefined,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([
      null,
      null,
      null,
      'stop',
      undefined,
    ]);
    expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 3, total_tokens: 9 });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });
});
