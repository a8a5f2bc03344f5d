/** `pipeline` of the main door in a real browser: a model by its address, and as a file, with Node's answer. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelPath, pipeline } from '../src/platform/index.ts';
import { type BrowserPage, browserMissing, openPage } from './browser.ts';

const missing = browserMissing();
if (missing) console.warn(`browser suite skipped: ${missing}`);

const MESSAGES = [{ role: 'user', content: 'What is the capital of France?' }];
const OPTIONS = { max_new_tokens: 12, return_full_text: false } as const;

let browser: BrowserPage | undefined;
let model = '';
beforeAll(async () => {
  if (missing) return;
  model = await modelPath('phi3-tiny');
  browser = await openPage({ '/model.gguf': readFileSync(model) });
});
afterAll(() => browser?.close());

/** Runs in the page, where `bitmill` is the bundle of the main door. */
async function answers({ messages, options }: { messages: typeof MESSAGES; options: typeof OPTIONS }) {
  const { pipeline } = (globalThis as unknown as { bitmill: typeof import('../src/index.ts') }).bitmill;
  const address = new URL('/model.gguf', document.baseURI);
  const blob = await (await fetch(address)).blob();
  const found: string[] = [];
  for (const source of [address, new File([blob], 'model.gguf')]) {
    const generator = await pipeline('text-generation', source, { context_size: 256 });
    const [{ generated_text }] = await generator(messages, options);
    found.push(generated_text);
    const pieces: string[] = [];
    for await (const { text } of generator.stream(messages, { max_new_tokens: 12 })) pieces.push(text);
    found.push(pieces.join(''));
    await generator.dispose();
  }
  const refused = await pipeline('text-generation', 'owner/name').catch((error: Error) => error.message);
  const named = { dtype: 'q4' };
  const forNode = await pipeline('text-generation', address, named).catch((error: Error) => error.message);
  return { found, refused, forNode };
}

test.skipIf(missing)('a model answers in the page as in Node, from a URL and from a file', async () => {
  const generator = await pipeline('text-generation', model, { context_size: 256, threads: 1 });
  const [{ generated_text }] = await generator(MESSAGES, OPTIONS);
  await generator.dispose();
  expect(generated_text).not.toBe('');
  const inPage = await browser?.page.evaluate(answers, { messages: MESSAGES, options: OPTIONS });
  expect(inPage).toEqual({
    found: Array.from({ length: 4 }, () => generated_text),
    refused: 'owner/name is no address of a model',
    forNode: 'dtype: works in Node only',
  });
  expect(browser?.errors).toEqual([]);
});
