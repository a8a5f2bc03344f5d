import fc from 'fast-check';
import { expect, it } from 'vitest';
import { setup } from './testing.cases.ts';

/** For every route a request that is right, with most of its fields. */
const RIGHT: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  '/v1/chat/completions': {
    model: 'fake',
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } }],
      },
      { role: 'tool', content: 'b', tool_call_id: 'c' },
    ],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
    tool_choice: { type: 'function', function: { name: 'f' } },
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'string' } } },
    chat_template_kwargs: { a: 1 },
    stream_options: { include_usage: true },
    logit_bias: { 5: 1 },
    stop: ['x'],
    grammar: 'root ::= "a"',
    temperature: 1,
    top_p: 0.5,
    seed: 3,
    n: 2,
    logprobs: true,
    top_logprobs: 2,
    overflow: 'shift',
    stream: true,
    max_tokens: 8,
  },
  '/v1/completions': { prompt: ['a', 'b'], max_tokens: 3, echo: true, logprobs: 1, n: 2, stream: true },
  '/v1/embeddings': { input: [[1, 2], [3]], encoding_format: 'base64', dimensions: 4, pooling: 'mean' },
  '/tokenize': { content: 'a', add_special: true, parse_special: true, with_pieces: true },
  '/detokenize': { tokens: [1, 2] },
  '/apply-template': { messages: [{ role: 'user', content: 'a' }], add_generation_prompt: false },
};

/** A JSON value with some of its parts, at any depth, put out or replaced. */
function mutated(value: unknown, dice: () => number, strange: () => unknown): unknown {
  if (dice() < 0.08) return strange();
  if (Array.isArray(value)) return value.map((item) => mutated(item, dice, strange));
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(() => dice() > 0.15);
  return Object.fromEntries(kept.map(([name, item]) => [name, mutated(item, dice, strange)]));
}

it('whatever is asked, the answer is one or says what is wrong: never a fault, never a slot that is lost', async () => {
  const faults: unknown[] = [];
  const { ask, service } = setup({
    fake: { contextSize: 300 },
    settings: { maxTokens: 60 },
    extras: { onFault: (error) => faults.push(error) },
  });
  const requests = fc.record({
    path: fc.constantFrom(...Object.keys(RIGHT)),
    dice: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
    strange: fc.infiniteStream(fc.jsonValue()),
  });
  const property = fc.asyncProperty(requests, async ({ path, dice, strange }) => {
    const body = mutated(
      RIGHT[path],
      () => dice.next().value,
      () => strange.next().value,
    );
    const response = await ask(path, body);
    const text = await response.text();
    expect([200, 400, 404]).toContain(response.status);
    if (response.status !== 200) {
      const { error } = JSON.parse(text);
      expect(error).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(/\S/) });
    } else if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
      expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    }
    expect(faults).toEqual([]);
    expect(service.active).toBe(0);
  });
  await fc.assert(property, { numRuns: 400, seed: 7 });
});
