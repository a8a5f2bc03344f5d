// @ts-check
/**
 * An answer as it comes: in a loop, through a callback, and stopped half-way.
 * node examples/streaming.mjs [model]
 */
import { pipeline, TextStreamer } from 'bitmill';

const generator = await pipeline('text-generation', process.argv[2] ?? 'phi3-tiny');
const messages = [{ role: 'user', content: 'What is the capital of France?' }];

// In a loop; leaving it ends the answer.
const stream = generator.stream(messages, { max_new_tokens: 40 });
for await (const { text } of stream) process.stdout.write(text);
const { finish_reason, usage } = await stream.result;
console.log(`\n[${finish_reason} after ${usage.completion_tokens} tokens]`);

// Through transformers.js's TextStreamer.
const streamer = new TextStreamer(generator.tokenizer, {
  skip_prompt: true,
  callback_function: (text) => process.stdout.write(text.toUpperCase()),
});
await generator(messages, { max_new_tokens: 40, streamer });
console.log();

// A signal ends an answer where it is: what there is comes back, and nothing is thrown.
const [{ generated_text }] = await generator('Once upon a time', {
  max_new_tokens: 2000,
  signal: AbortSignal.timeout(500),
});
console.log(`in half a second: ${generated_text}`);

await generator.dispose();
