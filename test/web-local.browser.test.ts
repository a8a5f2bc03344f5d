/**
 * A model in the browser, with no server at all: the page is opened in Chromium, phi3-tiny's Q8_0 file is picked, and
 * what it says is what it says in Node. With threads where the page is cross-origin isolated, on one thread where not.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answer } from '../apps/web/src/providers/local/answering.ts';
import { openSource } from '../apps/web/src/providers/local/model.ts';
import { browserMissing } from './browser.ts';
import { phi3TinyQ8 } from './phi3-tiny-file.ts';
import { openPart, type PartPage, seriousFaults } from './web-page.ts';

const QUESTION = 'What is the capital of France?';

let bytes: Uint8Array;
let inNode: string;

async function askInNode(): Promise<string> {
  const file = new File([bytes as BlobPart], 'phi3-tiny-Q8_0.gguf');
  const model = await openSource({ kind: 'files', files: [file] }, { count: 1 });
  const request = {
    model: '',
    messages: [{ role: 'user', content: QUESTION }],
    parameters: { temperature: 0 },
  } as const;
  let text = '';
  for await (const delta of answer(model.service, request, new AbortController().signal)) text += delta.text;
  await model.close();
  return text;
}

const missing = browserMissing();

describe.skipIf(missing)(`a model in the browser${missing ? ` (skipped: ${missing})` : ''}`, () => {
  beforeAll(async () => {
    bytes = await phi3TinyQ8();
    inNode = await askInNode();
  });

  describe.each([
    { isolated: true, says: /^A GGUF file is read and run here; .* It computes on \d+ threads\.$/ },
    { isolated: false, says: /It computes on one thread, as this page may not share memory\.$/ },
  ])('where the page may share memory: $isolated', ({ isolated, says }) => {
    let part: PartPage;
    beforeAll(async () => {
      const files = { '/model/phi3-tiny-Q8_0.gguf': bytes };
      part = await openPart({ entry: 'main.tsx', isolated, files });
    });
    afterAll(() => part?.close());

    test('a file is opened in the settings, and becomes the model of the chat', async () => {
      const { page } = part;
      await page.getByRole('button', { name: 'Settings', exact: true }).click();
      const section = page.getByRole('region', { name: 'A model in this browser' });
      expect(await section.locator('.hint').first().textContent()).toMatch(says);
      if (isolated) {
        await section.locator('input[type="file"]').setInputFiles({
          name: 'phi3-tiny-Q8_0.gguf',
          mimeType: 'application/octet-stream',
          buffer: Buffer.from(bytes),
        });
      } else {
        await section.getByLabel('Or its address').fill(`${part.url}model/phi3-tiny-Q8_0.gguf`);
        await section.getByRole('button', { name: 'Open', exact: true }).click();
      }
      await section.getByRole('button', { name: 'Close phi3-tiny-Q8_0 (in this browser)' }).waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.keyboard.press('Escape');
      expect(await page.getByLabel('Model', { exact: true }).inputValue()).toBe(
        'phi3-tiny-Q8_0 (in this browser)',
      );
    });

    test('it answers as it does in Node', async () => {
      const { page } = part;
      await page.getByLabel('Message').fill(QUESTION);
      await page.keyboard.press('Enter');
      await page.getByRole('button', { name: 'Answer again' }).waitFor({ timeout: 60_000 });
      expect(inNode).toMatch(/Paris/);
      expect((await page.locator('.markdown').innerText()).trim()).toBe(inNode.trim());
    });
  });
});
