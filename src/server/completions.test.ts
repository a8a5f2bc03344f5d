import { describe, expect, it } from 'vitest';
import { chunksOf, setup } from './testing.cases.ts';

const TEXT = '/v1/completions';

const BAD: readonly (readonly [string, object, string, string])[] = [
  ['no prompt', {}, 'prompt', 'not a text, its ids'],
  ['an empty list', { prompt: [] }, 'prompt', 'not a text, its ids'],
  ['ids and texts in one list', { prompt: [1, 'a'] }, 'prompt', 'not a text, its ids'],
  ['an id that does not exist', { prompt: [[65], [5000]] }, 'prompt[1]', 'token 5000 does not exist'],
  ['a suffix', { prompt: 'a', suffix: 'b' }, 'suffix', 'not supported'],
  ['more drafts than answers', { prompt: 'a', best_of: 3 }, 'best_of', 'more than n'],
  ['too many answers', { prompt: ['a', 'b', 'c'], n: 6 }, 'n', 'for each of 3 prompts; 16 are allowed'],
  ['a prompt that is too long', { prompt: ['a', 'x'.repeat(5000)] }, 'prompt[1]', '5001 tokens'],
];

describe('POST /v1/completions', () => {
  it('goes on after a text, in the older shape', async () => {
    const { body, status } = await setup().post(TEXT, { prompt: 'Once', max_tokens: 5 });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^cmpl-/),
      object: 'text_completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [{ text: 'Hello', index: 0, logprobs: null, finish_reason: 'length' }],
      usage: {
        prompt_tokens: 5,
        completion_tokens: 5,
        total_tokens: 10,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
  });

  it('reads control tokens in a text, and puts BOS in front once', async () => {
    const prompts: string[] = [];
    const script = (prompt: string) => {
      prompts.push(prompt);
      return '.';
    };
    const { post } = setup({ fake: { script } });
    const { body } = await post(TEXT, { prompt: ['<|user|>a', '<s>b'] });
    expect(prompts).toEqual(['<s><|user|>a', '<s>b']);
    expect(body.usage.prompt_tokens).toBe(5);
  });

  it('takes ids, lists and n; choices stand in the order of the prompts', async () => {
    const { post } = setup({ fake: { script: (prompt) => prompt.toUpperCase() } });
    const ids = await post(TEXT, { prompt: [97, 98] });
    expect(ids.body.choices[0].text).toBe('AB');
    const many = await post(TEXT, { prompt: [[97], [98]], n: 2 });
    expect(many.body.choices.map(({ text }: { text: string }) => text)).toEqual(['A', 'A', 'B', 'B']);
  });

  it('echoes the prompt, with the log-probabilities of its tokens', async () => {
    const { post } = setup({ fake: { script: () => 'cé' } });
    const { body } = await post(TEXT, { prompt: 'ab', echo: true, logprobs: 1 });
    const [{ text, logprobs }] = body.choices;
    expect(text).toBe('abcé');
    const near = expect.closeTo(0, 5);
    expect(logprobs).toEqual({
      tokens: ['<s>', 'a', 'b', 'c', 'bytes:\\xc3', 'bytes:\\xa9'],
      token_logprobs: [null, -1, -1, near, near, near],
      top_logprobs: [
        null,
        { '<s>': -2 },
        { a: -2 },
        { c: near },
        { 'bytes:\\xc3': near },
        { 'bytes:\\xa9': near },
      ],
      text_offset: [0, 0, 1, 2, 3, 3],
    });
    const only = await post(TEXT, { prompt: [97, 98], echo: true, max_tokens: 0, logprobs: 0 });
    expect(only.body.choices[0]).toMatchObject({
      text: 'ab',
      finish_reason: 'length',
      logprobs: { tokens: ['a', 'b'], token_logprobs: [null, -1], text_offset: [0, 1] },
    });
  });

  it('says the same in chunks', async () => {
    const fake = { script: () => 'Ünï. END of it' };
    const request = { prompt: ['a', 'b'], echo: true, logprobs: 2, stop: ' END' };
    const { body } = await setup({ fake }).post(TEXT, request);
    const options = { stream: true, stream_options: { include_usage: true } };
    const chunks = await chunksOf(await setup({ fake }).ask(TEXT, { ...request, ...options }));
    for (const choice of body.choices) {
      const own = chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === choice.index);
      expect(own.map(({ text }) => text).join('')).toBe(choice.text);
      expect(own.flatMap(({ logprobs }) => logprobs?.tokens ?? [])).toEqual(choice.logprobs.tokens);
      expect(own.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(choice.logprobs.text_offset);
      expect(own.at(-1).finish_reason).toBe('stop');
    }
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: body.usage });
  });

  it.each(BAD)('refuses %s', async (_, request, param, message) => {
    const { status, body } = await setup().post(TEXT, request);
    expect(status).toBe(400);
    expect(body.error.param).toBe(param);
    expect(body.error.message).toContain(message);
  });
});
