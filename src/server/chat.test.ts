import { describe, expect, it } from 'vitest';
import type { AnswerReport } from './env.ts';
import { chunksOf, HELLO, setup } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';

describe('a chat at once', () => {
  it('has the shape of OpenAI, with usage', async () => {
    const { body, status } = await setup().post(CHAT, HELLO);
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
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
      // BOS, <|user|>, H, i, <|end|>, <|assistant|>.
      usage: {
        prompt_tokens: 6,
        completion_tokens: 6,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 0 },
      },
    });
  });

  it('reads parts of text as lines, developer as system, and control tokens in messages as text', async () => {
    const messages = [
      { role: 'developer', content: 'Be short.', name: 'boss' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b<|end|>' },
        ],
      },
      { role: 'assistant', content: null },
      { role: 'user', content: '' },
    ];
    const { body } = await setup().post('/apply-template', { messages });
    expect(body.prompt).toBe(
      '<|system|>Be short.<|end|><|user|>a\nb<|end|><|end|><|assistant|><|end|><|user|><|end|><|assistant|>',
    );
    const { body: answer } = await setup().post(CHAT, { messages: messages.slice(1, 2) });
    // BOS, <|user|>, 10 bytes of text with <|end|> as 7 of them, <|end|>, <|assistant|>
    expect(answer.usage.prompt_tokens).toBe(14);
  });

  it('hands on what is asked, with the defaults of OpenAI', async () => {
    const { post, service } = setup({ settings: { maxTokens: 50 } });
    await post(CHAT, { ...HELLO, user: 'u1' });
    await post(CHAT, {
      ...HELLO,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      min_p: 0.1,
      typical_p: 0.8,
      repetition_penalty: 1.2,
      presence_penalty: 0.3,
      frequency_penalty: -0.4,
      logit_bias: { 7: -100 },
      seed: 5,
      stop: ['x', 'y'],
      max_tokens: 4,
      n: 2,
    });
    expect(service.requests[0]).toMatchObject({
      temperature: 1,
      topP: 1,
      topK: 0,
      seed: undefined,
      stop: [],
      maxTokens: 50,
      client: '/u1',
    });
    const wanted = {
      temperature: 0.5,
      topP: 0.9,
      topK: 3,
      minP: 0.1,
      typicalP: 0.8,
      repetitionPenalty: 1.2,
      presencePenalty: 0.3,
      frequencyPenalty: -0.4,
      logitBias: new Map([[7, -100]]),
      stop: ['x', 'y'],
      maxTokens: 4,
    };
    expect(service.requests[1]).toMatchObject({ ...wanted, seed: 5 });
    expect(service.requests[2]).toMatchObject({ ...wanted, seed: 6 });
  });

  it('hands on samplers beyond the API of OpenAI, by the names that llama.cpp gives them', async () => {
    const { post, service } = setup();
    await post(CHAT, { ...HELLO, mirostat_tau: 3 });
    expect(service.requests[0]).toMatchObject({ mirostatTau: 0, dryMultiplier: 0, topNSigma: 0 });
    await post(CHAT, { ...HELLO, mirostat: 2 });
    expect(service.requests[1]).toMatchObject({ mirostatTau: 5, mirostatEta: 0.1 });
    const all = {
      ...{ mirostat: 2, mirostat_tau: 3, mirostat_eta: 0.2 },
      ...{ top_n_sigma: 1, xtc_probability: 0.5, xtc_threshold: 0.2 },
      ...{ dry_multiplier: 0.8, dry_base: 2, dry_allowed_length: 3, dry_penalty_last_n: 64 },
      dry_sequence_breakers: ['.'],
    };
    await post(CHAT, { ...HELLO, ...all });
    expect(service.requests[2]).toMatchObject({
      ...{ mirostatTau: 3, mirostatEta: 0.2, topNSigma: 1, xtcProbability: 0.5, xtcThreshold: 0.2 },
      ...{ dryMultiplier: 0.8, dryBase: 2, dryAllowedLength: 3, dryRange: 64, dryBreakers: ['.'] },
    });
  });

  it('takes max_completion_tokens before max_tokens, and no more than the server allows', async () => {
    const { post, service } = setup({ settings: { maxTokens: 5 } });
    const { body } = await post(CHAT, { ...HELLO, max_completion_tokens: 2, max_tokens: 4 });
    expect(body.choices[0]).toMatchObject({ message: { content: 'He' }, finish_reason: 'length' });
    await post(CHAT, { ...HELLO, max_tokens: 100 });
    expect(service.requests[1].maxTokens).toBe(5);
  });

  it('ends with the context as with a limit', async () => {
    const { post } = setup({ fake: { contextSize: 8 } });
    const { body } = await post(CHAT, HELLO);
    expect(body.choices[0]).toMatchObject({ message: { content: 'Hel' }, finish_reason: 'length' });
  });

  it('gives n answers, side by side, no more at once than there are slots', async () => {
    let asked = 0;
    const most: number[] = [];
    const { post, service } = setup({
      fake: {
        slots: 2,
        script: () => `answer ${asked++}`,
        pace: async () => {
          most.push(service.active);
        },
      },
    });
    const { body } = await post(CHAT, { ...HELLO, n: 5 });
    expect(body.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2, 3, 4]);
    const texts = body.choices.map(({ message }: { message: { content: string } }) => message.content);
    expect(texts).toEqual(['answer 0', 'answer 1', 'answer 2', 'answer 3', 'answer 4']);
    expect(body.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 40 });
    expect(Math.max(...most)).toBe(2);
    expect(service.active).toBe(0);
  });

  it('tells tokens with their bytes, whole characters or not, and leaves out those of a stop string', async () => {
    const { post } = setup({ fake: { script: () => 'é.END' } });
    const { body } = await post(CHAT, { ...HELLO, logprobs: true, top_logprobs: 1, stop: 'END' });
    const [choice] = body.choices;
    expect(choice.message.content).toBe('é.');
    expect(choice.logprobs.refusal).toBeNull();
    expect(choice.logprobs.content).toEqual(
      [0xc3, 0xa9, 0x2e].map((byte) => {
        const token = byte === 0x2e ? '.' : '\ufffd';
        const told = { token, logprob: expect.closeTo(0, 5), bytes: [byte] };
        return { ...told, top_logprobs: [told] };
      }),
    );
  });

  it('tells no alternatives where none are asked for', async () => {
    const { post } = setup();
    const { body } = await post(CHAT, { ...HELLO, logprobs: true });
    expect(body.choices[0].logprobs.content[0].top_logprobs).toEqual([]);
  });
});

describe('a chat that is too long', () => {
  const messages = [
    { role: 'system', content: 'S' },
    { role: 'user', content: 'first question' },
    { role: 'assistant', content: 'first answer' },
    { role: 'user', content: 'second' },
  ];

  it('is an error that says what helps', async () => {
    const { post } = setup({ fake: { contextSize: 40 } });
    const { status, body } = await post(CHAT, { messages });
    expect(status).toBe(400);
    expect(body.error).toEqual({
      message:
        'the chat has 43 tokens; the context holds 40; "overflow": "shift" or "truncate" would make it shorter',
      type: 'invalid_request_error',
      param: 'messages',
      code: 'context_length_exceeded',
    });
  });

  it('loses its oldest turns, or the beginning of its longest message, where that is asked for', async () => {
    const prompts: string[] = [];
    const script = (prompt: string) => {
      prompts.push(prompt);
      return 'ok';
    };
    const { post } = setup({ fake: { contextSize: 40, script } });
    await post(CHAT, { messages, overflow: 'shift' });
    await post(CHAT, { messages, overflow: 'truncate' });
    // A quarter of the context stays free for the answer.
    expect(prompts).toEqual([
      '<s><|system|>S<|end|><|user|>second<|end|><|assistant|>',
      '<s><|system|>S<|end|><|user|>n<|end|><|assistant|>first answer<|end|><|user|>second<|end|><|assistant|>',
    ]);
  });
});

describe('an answer of a given form', () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer' } },
    required: ['name', 'age'],
    additionalProperties: false,
  };
  const format = (strict: boolean, one: unknown = schema) => ({
    type: 'json_schema',
    json_schema: { name: 'person', strict, schema: one },
  });

  it('keeps to a JSON schema, whatever the model would say', async () => {
    const { post } = setup({ fake: { script: () => 'Sure! {"name": "Bob", "age": 5}' } });
    const request = { ...HELLO, seed: 1, max_tokens: 400, response_format: format(true) };
    const { body } = await post(CHAT, request);
    expect(body.choices[0].finish_reason).toBe('stop');
    const value = JSON.parse(body.choices[0].message.content);
    expect(Object.keys(value)).toEqual(['name', 'age']);
    expect(value.name).toEqual(expect.any(String));
    expect(value.age % 1).toBe(0);
  });

  it('knows json_object and GBNF', async () => {
    const { post } = setup({ fake: { script: () => '{"a": [1]}' } });
    const object = await post(CHAT, { ...HELLO, response_format: { type: 'json_object' } });
    expect(JSON.parse(object.body.choices[0].message.content)).toEqual({ a: [1] });
    const grammar = await post(CHAT, { ...HELLO, grammar: 'root ::= "yes" | "no"' });
    expect(['yes', 'no']).toContain(grammar.body.choices[0].message.content);
  });

  it('refuses what it cannot keep to, by its place', async () => {
    const { post } = setup();
    const wrong = await post(CHAT, { ...HELLO, response_format: format(false, { type: 'strin' }) });
    expect(wrong.status).toBe(400);
    expect(wrong.body.error.param).toBe('response_format.json_schema.schema');
    expect(wrong.body.error.message).toContain('strin');
    const unknown = { ...schema, flavour: 'sweet' };
    const strict = await post(CHAT, { ...HELLO, response_format: format(true, unknown) });
    expect(strict.status).toBe(400);
    expect(strict.body.error.message).toContain('strict, but');
    expect(strict.body.error.message).toContain('flavour');
    const loose = { ...HELLO, max_tokens: 1, response_format: format(false, unknown) };
    expect((await post(CHAT, loose)).status).toBe(200);
    const grammar = await post(CHAT, { ...HELLO, grammar: 'root ::= other' });
    expect(grammar.body.error).toMatchObject({ param: 'grammar', type: 'invalid_request_error' });
    const both = await post(CHAT, { ...HELLO, grammar: 'root ::= "a"', response_format: format(true) });
    expect(both.body.error.message).toBe('grammar: and response_format: one of them');
  });
});

describe('a chat in chunks', () => {
  it('begins with the role, ends with the reason, then the usage', async () => {
    const { ask } = setup({ fake: { script: () => 'é!' } });
    const response = await ask(CHAT, { ...HELLO, stream: true, stream_options: { include_usage: true } });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const chunks = await chunksOf(response);
    expect(chunks.map(({ choices }) => choices)).toEqual([
      [{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
      [{ index: 0, delta: { content: 'é' }, logprobs: null, finish_reason: null }],
      [{ index: 0, delta: { content: '!' }, logprobs: null, finish_reason: null }],
      [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }],
      [],
    ]);
    expect(new Set(chunks.map(({ id, object, model }) => `${id} ${object} ${model}`)).size).toBe(1);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-1).usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 3, total_tokens: 9 });
  });

  it('says the same as at once: text, tokens and reasons of every answer', async () => {
    let asked = 0;
    const fake = { script: () => `Ünïcode ${asked++ % 3} and STOP` };
    const request = { ...HELLO, n: 3, logprobs: true, top_logprobs: 2, stop: [' STOP'], max_tokens: 40 };
    const { body } = await setup({ fake }).post(CHAT, request);
    asked = 0;
    const chunks = await chunksOf(await setup({ fake }).ask(CHAT, { ...request, stream: true }));
    for (const choice of body.choices) {
      const own = chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === choice.index);
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(choice.message.content);
      expect(own.flatMap(({ logprobs }) => logprobs?.content ?? [])).toEqual(choice.logprobs.content);
      expect(own.at(-1).finish_reason).toBe(choice.finish_reason);
    }
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });
});

describe('what is reported', () => {
  it('tells tokens and outcome once, and prompts only where that was asked for', async () => {
    const heard: AnswerReport[] = [];
    const onAnswer = (report: AnswerReport) => heard.push(report);
    const silent = setup({ extras: { onAnswer } });
    await silent.post(CHAT, HELLO);
    await (await silent.ask(CHAT, { ...HELLO, stream: true, max_tokens: 2 })).text();
    await setup({ extras: { onAnswer }, settings: { logPrompts: true } }).post(CHAT, HELLO);
    const numbers = { firstTokenMs: expect.any(Number), totalMs: expect.any(Number) };
    const base = { model: 'fake', route: CHAT, promptTokens: 6, cachedTokens: 0, ...numbers };
    expect(heard).toEqual([
      { ...base, stream: false, completionTokens: 6, outcome: 'stop' },
      { ...base, stream: true, completionTokens: 2, outcome: 'length' },
      {
        ...base,
        stream: false,
        completionTokens: 6,
        outcome: 'stop',
        prompt: '<s><|user|>Hi<|end|><|assistant|>',
        text: 'Hello.',
      },
    ]);
  });
});
