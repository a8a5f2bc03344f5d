// @ts-check
/**
 * The official client of OpenAI's API, unchanged, against a local model.
 * In one terminal: bitmill serve -m phi3-tiny
 * In another:      npm install openai && node examples/openai-client.mjs
 */
import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: process.env['OPENAI_BASE_URL'] ?? 'http://127.0.0.1:8080/v1',
  apiKey: process.env['OPENAI_API_KEY'] ?? 'none',
});
const [model] = (await client.models.list()).data;

const stream = await client.chat.completions.create({
  model: model.id,
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
  max_tokens: 40,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const { choices, usage } of stream) {
  process.stdout.write(choices[0]?.delta.content ?? '');
  if (usage) console.log(`\n[${usage.prompt_tokens} + ${usage.completion_tokens} tokens]`);
}
