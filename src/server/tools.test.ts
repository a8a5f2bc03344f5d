import { describe, expect, it } from 'vitest';
import { chunksOf, setup } from './testing.cases.ts';

const CHAT = '/v1/chat/completions';

const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'Weather of a city',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', maxLength: 20 } },
        required: ['city'],
        additionalProperties: false,
      },
    },
  },
  { type: 'function', function: { name: 'time' } },
];
const ASK = { messages: [{ role: 'user', content: 'How is the weather in Rome?' }], tools: TOOLS, seed: 1 };

/** As the grammar of calls has it. */
const call = (name: string, given: object) =>
  `<tool_call>\n{"name": "${name}", "arguments": ${JSON.stringify(given).replaceAll(':', ': ')}}\n</tool_call>`;

/** A model that says this. */
const saying = (text: string) => setup({ fake: { script: () => text } });

describe('tools', () => {
  it('are told to the model by its template, and its call comes as OpenAI has it', async () => {
    const prompts: string[] = [];
    const script = (prompt: string) => {
      prompts.push(prompt);
      return `Let me see. ${call('weather', { city: 'Rome' })}`;
    };
    const { body } = await setup({ fake: { script } }).post(CHAT, ASK);
    expect(prompts[0]).toContain('"Weather of a city"');
    const [{ message, finish_reason }] = body.choices;
    expect(finish_reason).toBe('tool_calls');
    expect(message.content).toBe('Let me see.');
    expect(message.tool_calls).toEqual([
      {
        id: expect.stringMatching(/^call_\w{24}$/),
        type: 'function',
        function: { name: 'weather', arguments: expect.any(String) },
      },
    ]);
    expect(JSON.parse(message.tool_calls[0].function.arguments)).toEqual({ city: 'Rome' });
  });

  it('come in deltas, counted by index, and the reason behind them', async () => {
    const text = `${call('weather', { city: 'Rome' })}\n${call('weather', { city: 'Oslo' })}`;
    const chunks = await chunksOf(await saying(text).ask(CHAT, { ...ASK, stream: true }));
    const deltas = chunks.map(({ choices }) => choices[0].delta);
    const calls = deltas.flatMap(({ tool_calls }) => tool_calls ?? []);
    expect(calls.map(({ index, type, function: { name } }) => [index, type, name])).toEqual([
      [0, 'function', 'weather'],
      [1, 'function', 'weather'],
    ]);
    expect(calls.map((one) => JSON.parse(one.function.arguments).city)).toEqual(['Rome', 'Oslo']);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    expect(deltas.map(({ content }) => content ?? '').join('')).toBe('');
    expect(chunks.at(-1).choices[0].finish_reason).toBe('tool_calls');
  });

  it('may be left alone: text is text', async () => {
    const { body } = await saying('It is <b>sunny</b>.').post(CHAT, ASK);
    expect(body.choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'It is <b>sunny</b>.' },
      finish_reason: 'stop',
    });
    expect(body.choices[0].message).not.toHaveProperty('tool_calls');
  });

  it('that are forced are called, whatever the model would say', async () => {
    const any = await saying('No!').post(CHAT, { ...ASK, tool_choice: 'required', max_tokens: 2000 });
    expect(any.body.choices[0].finish_reason).toBe('tool_calls');
    const choice = { type: 'function', function: { name: 'weather' } };
    const { body } = await saying('No!').post(CHAT, { ...ASK, tool_choice: choice, max_tokens: 2000 });
    const [{ message }] = body.choices;
    expect(message.content).toBeNull();
    expect(message.tool_calls).toHaveLength(1);
    expect(message.tool_calls[0].function.name).toBe('weather');
    expect(Object.keys(JSON.parse(message.tool_calls[0].function.arguments))).toEqual(['city']);
  });

  it('are not mentioned where none may be called', async () => {
    const prompts: string[] = [];
    const script = (prompt: string) => {
      prompts.push(prompt);
      return call('time', {});
    };
    const { body } = await setup({ fake: { script } }).post(CHAT, { ...ASK, tool_choice: 'none' });
    expect(prompts[0]).not.toContain('Weather of a city');
    expect(body.choices[0].message.content).toBe(call('time', {}));
  });

  it('have results, which the template writes with the calls of former turns', async () => {
    const prompts: string[] = [];
    const script = (prompt: string) => {
      prompts.push(prompt);
      return 'Sunny.';
    };
    const asked = { name: 'weather', arguments: '{"city": "Rome"}' };
    const messages = [
      ...ASK.messages,
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: asked }] },
      { role: 'tool', tool_call_id: 'c1', content: '25 degrees' },
    ];
    const { body } = await setup({ fake: { script } }).post(CHAT, { ...ASK, messages });
    expect(body.choices[0].message.content).toBe('Sunny.');
    expect(prompts[0]).toContain('"arguments": {"city": "Rome"}');
    expect(prompts[0]).toContain('<|tool|>25 degrees<|end|>');
  });

  it('do not go together with another form of the answer, nor with a choice of none of them', async () => {
    const { post } = setup();
    const format = await post(CHAT, { ...ASK, response_format: { type: 'json_object' } });
    expect(format.status).toBe(400);
    expect(format.body.error.param).toBe('response_format');
    const choice = { type: 'function', function: { name: 'news' } };
    const other = await post(CHAT, { ...ASK, tool_choice: choice });
    expect(other.status).toBe(400);
    expect(other.body.error.message).toContain('"news" is none of the tools: weather, time');
    const none = await post(CHAT, { ...ASK, tools: [], tool_choice: choice });
    expect(none.body.error.param).toBe('tool_choice');
    const free = { ...ASK, tool_choice: 'none', response_format: { type: 'json_object' } };
    expect((await post(CHAT, free)).status).toBe(200);
  });

  it('with a schema that no grammar keeps to are refused where a call is forced', async () => {
    const parameters = { type: 'object', properties: { a: { type: 'strin' } } };
    const tools = [{ type: 'function', function: { name: 'f', parameters } }];
    const { status, body } = await setup().post(CHAT, { ...ASK, tools, tool_choice: 'required' });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ param: 'tools' });
    expect(body.error.message).toContain('strin');
  });
});
