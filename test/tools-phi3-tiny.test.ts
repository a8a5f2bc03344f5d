/** Tool calls of a model that was never trained for them: phi3-tiny, whose template knows no tools. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wasmBackend } from '../src/backends/index.ts';
import { openModel } from '../src/cli/gguf.ts';
import {
  Engine,
  type GenerationOptions,
  generate,
  Session,
  type Tool,
  type ToolCall,
  type ToolUse,
  toolUse,
} from '../src/generate/index.ts';
import type { GgufFile } from '../src/gguf/index.ts';
import { type ChatTemplate, chatTemplateOf, type Tokenizer, tokenizerOf } from '../src/text/index.ts';

const TOOLS: readonly Tool[] = [
  {
    type: 'function',
    function: {
      name: 'weather',
      description: 'The weather of a city.',
      parameters: {
        type: 'object',
        properties: { city: { enum: ['Rome', 'Paris'] }, days: { type: 'integer', minimum: 1, maximum: 9 } },
        required: ['city', 'days'],
        additionalProperties: false,
      },
    },
  },
  {
    type: 'function',
    function: { name: 'stop', parameters: { type: 'object', additionalProperties: false } },
  },
];
const MESSAGES = [{ role: 'user', content: 'How is the weather in Paris?' }];

let file: GgufFile;
let engine: Engine;
let tokenizer: Tokenizer;
let template: ChatTemplate;

beforeAll(async () => {
  file = await openModel('phi3-tiny');
  engine = await Engine.open(file, { backend: await wasmBackend({ threads: 1 }), contextSize: 512 });
  tokenizer = tokenizerOf(file);
  template = chatTemplateOf(file, tokenizer);
});
afterAll(async () => {
  engine.close();
  await file.close();
});

async function answer(use: ToolUse, options: GenerationOptions = {}) {
  const session = await Session.open(engine);
  const parser = use.parser();
  const constraint = use.constraint();
  const texts: string[] = [];
  const calls: ToolCall[] = [];
  const hear = (delta: { text: string; calls: readonly ToolCall[] }) => {
    texts.push(delta.text);
    calls.push(...delta.calls);
  };
  const settings = { maxTokens: 120, ...options, ...(constraint ? { constraint } : {}) };
  const tokens = generate(session, tokenizer, use.encode(MESSAGES), settings);
  let next = await tokens.next();
  let raw = '';
  for (; !next.done; next = await tokens.next()) {
    raw += next.value.text;
    hear(parser.push(next.value.text, next.value.id));
  }
  hear(parser.push(next.value.text));
  hear(parser.flush());
  session.close();
  return { raw: raw + next.value.text, text: texts.join(''), calls, reason: next.value.reason };
}

test('a forced call is one, whatever the model would rather say', async () => {
  const choice = { type: 'function', function: { name: 'weather' } } as const;
  const use = toolUse(template, tokenizer, TOOLS, { choice });
  expect(use.format).toBe('described');
  const forced = await answer(use);
  expect(forced.text).toBe('');
  expect(forced.reason).toBe('stop');
  expect(forced.calls.map(({ name }) => name)).toEqual(['weather']);
  const { city, days } = JSON.parse(forced.calls[0].arguments) as { city: string; days: number };
  expect(['Rome', 'Paris']).toContain(city);
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9]).toContain(days);
});

test('so is it with every way of sampling', async () => {
  for (const options of [
    { temperature: 2 },
    { temperature: 1, mirostatTau: 3 },
    { temperature: 1, dryMultiplier: 1 },
  ]) {
    const use = toolUse(template, tokenizer, TOOLS, { choice: 'required', parallel: false });
    const { text, calls, reason } = await answer(use, { seed: 4, ...options });
    expect({ text, count: calls.length, reason }).toEqual({ text: '', count: 1, reason: 'stop' });
    expect(['weather', 'stop']).toContain(calls[0].name);
  }
});

test('a free answer of a model that calls nothing is its text, to the letter', async () => {
  const free = await answer(toolUse(template, tokenizer, TOOLS), { maxTokens: 24 });
  expect(free.calls).toEqual([]);
  expect(free.raw).not.toBe('');
  expect(free.text).toBe(free.raw);
});
