/** A host's check: what is blocked never reaches a model or its asker, and the rest is as without it. */
import { describe, expect, test } from 'vitest';
import type { SafetyCheck } from './safety.ts';
import { chunksOf, HELLO, setup } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';

const BLOCK = { kind: 'block', reason: 'That is not talked about here.' } as const;
const ALLOW = { kind: 'allow' } as const;

/** No word that contains one of these. */
const without = (word: string): SafetyCheck => ({
  input: (messages) => (messages.some(({ content }) => content.includes(word)) ? BLOCK : ALLOW),
  output: async (text) => (text.includes(word) ? BLOCK : ALLOW),
  holdBack: word.length,
});

const asking = (content: unknown) => ({ model: 'fake', messages: [{ role: 'user', content }] });

describe('what is asked', () => {
  test('is refused with code content_filter, and no model sees it', async () => {
    const { post, service } = setup({ extras: { safety: without('bomb') } });
    const parts = [{ type: 'text', text: 'a bomb' }];
    for (const content of ['a bomb', parts]) {
      const { status, body } = await post(CHAT, asking(content));
      expect(status).toBe(400);
      expect(body.error).toMatchObject({
        message: 'That is not talked about here.',
        type: 'invalid_request_error',
        code: 'content_filter',
      });
    }
    expect((await post('/v1/completions', { model: 'fake', prompt: ['fine', 'a bomb'] })).status).toBe(400);
    expect(service.requests).toEqual([]);
  });

  test('goes through where nothing is wrong; a wrong body is the route’s', async () => {
    const { post } = setup({ extras: { safety: without('bomb') } });
    expect((await post(CHAT, HELLO)).body.choices[0].message.content).toBe('Hello.');
    expect((await post(CHAT, { messages: 'bomb' })).body.error.code).not.toBe('content_filter');
    expect((await post(CHAT, '{broken')).status).toBe(400);
  });

  test('a check that fails lets nothing through', async () => {
    const input = () => Promise.reject(new Error('the classifier is down'));
    const { post, service } = setup({ extras: { safety: { input } } });
    expect((await post(CHAT, HELLO)).status).toBe(500);
    expect(service.requests).toEqual([]);
  });
});

describe('what is answered', () => {
  const says = 'Take the bomb and go on.';

  test('ends before the word, with finish_reason content_filter', async () => {
    const { post } = setup({ fake: { script: () => says }, extras: { safety: without('bomb') } });
    const { body } = await post(CHAT, HELLO);
    expect(body.choices[0]).toMatchObject({
      message: { content: 'Take the' },
      finish_reason: 'content_filter',
    });
  });

  test('the same in a stream: nothing of the word is sent', async () => {
    const { ask } = setup({ fake: { script: () => says }, extras: { safety: without('bomb') } });
    const chunks = await chunksOf(await ask(CHAT, { ...HELLO, stream: true }));
    const text = chunks.map(({ choices }) => choices[0].delta.content ?? '').join('');
    expect(text).toBe('Take the');
    expect(chunks.at(-1).choices[0].finish_reason).toBe('content_filter');
  });

  test('is looked at as a whole at its end', async () => {
    const looked: [string, boolean][] = [];
    const output = (text: string, whole: boolean) => {
      looked.push([text, whole]);
      return whole ? BLOCK : ALLOW;
    };
    const { post } = setup({ extras: { safety: { output, every: 4, holdBack: 100 } } });
    const { body } = await post(CHAT, HELLO);
    expect(looked).toEqual([
      ['Hell', false],
      ['Hello.', true],
    ]);
    expect(body.choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'content_filter' });
  });

  test('where nothing is wrong it is as without the check', async () => {
    const plain = await setup().post(CHAT, { ...HELLO, logprobs: true });
    const checked = await setup({ extras: { safety: without('bomb') } }).post(CHAT, {
      ...HELLO,
      logprobs: true,
    });
    expect(checked.body.choices).toEqual(plain.body.choices);
    expect(checked.body.usage).toEqual(plain.body.usage);
  });
});
