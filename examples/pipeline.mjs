// @ts-check
/**
 * Chats and texts with a local model, as with transformers.js.
 * node examples/pipeline.mjs [model]: a GGUF file, an address, owner/name[:Q4_K_M] of a hub, or phi3-tiny.
 */
import { pipeline } from 'bitmill';

const generator = await pipeline('text-generation', process.argv[2] ?? 'phi3-tiny');

const messages = [
  { role: 'user', content: 'Can you provide ways to eat combinations of bananas and dragonfruits?' },
  {
    role: 'assistant',
    content:
      'Sure! Here are some ways to eat bananas and dragonfruits together: 1. Banana and dragonfruit smoothie: ' +
      'Blend bananas and dragonfruits together with milk and honey. 2. Banana and dragonfruit salad: Mix sliced ' +
      'bananas and dragonfruits together with lemon juice and honey.',
  },
  { role: 'user', content: 'What about solving an 2x + 3 = 7 equation?' },
];
const output = await generator(messages, {
  max_new_tokens: 500,
  return_full_text: false,
  temperature: 0.0,
  do_sample: false,
});
console.log(output[0].generated_text);

// Several prompts are computed side by side; a text comes back with what follows it.
const stories = await generator(['Once upon a time', 'The sun'], {
  max_new_tokens: 30,
  do_sample: true,
  temperature: 0.8,
  top_p: 0.95,
  seed: 1,
});
for (const [{ generated_text }] of stories) console.log(generated_text);

await generator.dispose();
