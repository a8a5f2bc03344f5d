/** `ai` with `@ai-sdk/openai-compatible`, unmodified, against the API on a real listener. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  APICallError,
  embedMany,
  generateObject,
  generateText,
  Output,
  stepCountIs,
  streamText,
  tool,
} from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type OpenedService, openPhi3Tiny, type RunningApi, serveApi } from './api-server.ts';
import { FakeService } from './fake-service.ts';

const ID = 'phi3-tiny';
const QUESTION = 'What is 8 + 18?';

let opened: OpenedService;
let api: RunningApi;
let provider: ReturnType<typeof providerOf>;

const providerOf = ({ url }: RunningApi) =>
  createOpenAICompatible({
    name: 'bitmill',
    baseURL: `${url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });

beforeAll(async () => {
  opened = await openPhi3Tiny();
  api = await serveApi(ID, opened.service);
  provider = providerOf(api);
});
afterAll(async () => {
  await api?.close();
  await opened?.close();
});

describe('ai', () => {
  it('generates text', async () => {
    const { text, usage, finishReason } = await generateText({
      model: provider(ID),
      prompt: QUESTION,
      temperature: 0,
    });
    expect(text).toBe('26.');
    expect(finishReason).toBe('stop');
    expect(usage.totalTokens).toBe((usage.inputTokens ?? 0) + (usage.outputTokens ?? 0));
  });

  it('streams text', async () => {
    const result = streamText({ model: provider(ID), system: 'Be short.', prompt: QUESTION, temperature: 0 });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join('')).toBe(await result.text);
    expect((await result.usage).outputTokens).toBeGreaterThan(0);
  });

  it('generates objects of a schema', async () => {
    const schema = z.object({ sum: z.number().int(), words: z.array(z.enum(['a', 'b'])).max(3) });
    const settings = { model: provider(ID), prompt: QUESTION, temperature: 0, maxOutputTokens: 200 };
    const { object } = await generateObject({ ...settings, schema });
    expect(schema.parse(object)).toEqual(object);
    const { output } = await generateText({ ...settings, output: Output.object({ schema }) });
    expect(schema.parse(output)).toEqual(output);
  });

  it('calls tools and goes on with their results', async () => {
    const call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>';
    const fake = new FakeService({
      script: (prompt) => /<\|tool\|>(.*?)<\|end\|>/.exec(prompt)?.[1] ?? call,
    });
    const running = await serveApi(ID, fake);
    const weather = tool({
      description: 'Weather',
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `Sunny in ${city}.`,
    });
    const settings = { model: providerOf(running)(ID), prompt: 'How is it?', tools: { weather } };
    const whole = await generateText({ ...settings, stopWhen: stepCountIs(3) });
    expect(whole.text).toContain('Sunny in Rome.');
    expect(whole.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop']);
    const stream = streamText({ ...settings, stopWhen: stepCountIs(3) });
    const pieces: string[] = [];
    for await (const piece of stream.textStream) pieces.push(piece);
    expect(pieces.join('')).toBe(whole.text);
    await running.close();
  });

  it('goes on with a text, and embeds', async () => {
    const prompt = `<|user|>\n${QUESTION}<|end|>\n<|assistant|>\n`;
    const { text } = await generateText({ model: provider.completionModel(ID), prompt, temperature: 0 });
    // This kind of model wraps the prompt into a chat of its own, so the answer is not the exam's.
    expect(text).not.toBe('');
    const { embeddings } = await embedMany({
      model: provider.embeddingModel(ID),
      values: ['one', 'two'],
    });
    expect(embeddings.map((one) => one.length)).toEqual([opened.service.width, opened.service.width]);
  });

  it('reads our errors', async () => {
    const missing = generateText({ model: provider('gpt-4'), prompt: 'a', maxRetries: 0 });
    const error: unknown = await missing.then(undefined, (problem: unknown) => problem);
    expect(APICallError.isInstance(error) && error.statusCode).toBe(404);
    expect((error as Error).message).toContain('"gpt-4" does not exist');
  });

  it('hears of an error inside a stream', async () => {
    const fake = new FakeService({
      pace: async (index) => {
        if (index === 3) throw new Error('secret');
      },
    });
    const broken = await serveApi(ID, fake, {}, { onFault: () => {} });
    const heard: unknown[] = [];
    const result = streamText({
      model: providerOf(broken)(ID),
      prompt: 'a',
      onError: ({ error }) => {
        heard.push(error);
      },
    });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.join('')).toBe('Hel');
    expect(JSON.stringify(heard)).toContain('the server failed to answer this request');
    await broken.close();
  });
});
