/** Attached files in Chromium: asked about, cited, opened at the passage, still there after a reload. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserMissing } from './browser.ts';
import { type Api, openPart, type PartPage, seriousFaults, streamAnswer } from './web-page.ts';

const MILL = [
  '# Wind mill',
  'The mill grinds wheat when the wind blows from the west.',
  '# Water mill',
  'The wheel turns in the stream. It drives a saw for oak planks.',
  '# Prices',
  'A sack of flour costs nine coins.',
].join('\n\n');

const asked: Record<string, unknown>[] = [];
const embedded: string[] = [];
const answers: string[] = [];

const api: Api = (path, body, response) => {
  const json = async (value: object) => void response.end(JSON.stringify(value));
  if (path === '/v1/models') return json({ data: [{ id: 'tiny', context_size: 2048 }] });
  if (path === '/v1/embeddings') {
    const texts = body['input'] as string[];
    embedded.push(...texts);
    return json({ data: texts.map((text, index) => ({ index, embedding: letters(text) })) });
  }
  if (path !== '/v1/chat/completions') return undefined;
  asked.push(body);
  const words = (answers.shift() ?? 'ok').split(/(?= )/);
  return streamAnswer(
    response,
    words.map((token) => ({ token, logprob: -0.1 })),
  );
};

const letters = (text: string) =>
  Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => text.toLowerCase().split(letter).length - 1);

function lastMessage(): string {
  const { messages } = asked.at(-1) as { messages: { content: string }[] };
  return messages.at(-1)?.content ?? '';
}

const missing = browserMissing();

describe.skipIf(missing)(`attached files${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let part: PartPage;
  beforeAll(async () => {
    part = await openPart({ entry: 'main.tsx', api });
  });
  afterAll(() => part?.close());

  const ask = async (question: string, answer: string) => {
    const { page } = part;
    answers.push(answer);
    const done = page.getByRole('button', { name: 'Answer again' });
    const before = await done.count();
    await page.getByLabel('Message').fill(question);
    await page.keyboard.press('Enter');
    await done.nth(before).waitFor();
  };

  test('files are attached, and what is no text is refused in a sentence', async () => {
    const { page } = part;
    await page.locator('input[type="file"][accept*="text"]').setInputFiles([
      { name: 'mill.md', mimeType: 'text/markdown', buffer: Buffer.from(MILL) },
      { name: 'bread.txt', mimeType: 'text/plain', buffer: Buffer.from('Rye dough rests for twelve hours.') },
      { name: 'picture.png', mimeType: 'image/png', buffer: Buffer.from([137, 80, 78, 71, 0]) },
    ]);
    await page.getByRole('alert').getByText('picture.png is not taken').waitFor();
    const names = page.getByRole('list', { name: 'Attached files' }).getByRole('listitem');
    expect(await names.allTextContents()).toEqual(['mill.md×', 'bread.txt×']);
  });

  test('the question goes out with its sources; the citation in the answer is a link', async () => {
    const { page } = part;
    await ask('What does the saw cut?', 'It cuts oak planks [1]. Bread is another matter [9].');
    expect(lastMessage()).toMatch(/^Sources:\n\n\[1\] mill\.md, Water mill\n# Water mill\n/);
    expect(lastMessage()).toMatch(/Question: What does the saw cut\?$/);
    expect(embedded).toHaveLength(5);
    const sources = page.getByRole('region', { name: 'Sources' });
    expect(await sources.locator('.source-warning').textContent()).toContain(
      'It cites [9]: there is no such source.',
    );
    const citation = page.locator('.markdown').getByRole('button', { name: 'Source 1' });
    expect(await page.locator('.citation-unknown').allTextContents()).toEqual(['9?']);
    await citation.click();
    const dialog = page.getByRole('dialog', { name: '[1] mill.md, Water mill' });
    expect(await dialog.locator('mark').textContent()).toBe(
      '# Water mill\n\nThe wheel turns in the stream. It drives a saw for oak planks.',
    );
    expect(await dialog.locator('.source-text').textContent()).toBe(MILL);
    expect(await seriousFaults(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await seriousFaults(page)).toEqual([]);
  });

  test('an answer that cites nothing is marked; passages are embedded once', async () => {
    const { page } = part;
    await ask('How much is a sack of flour?', 'Nine coins.');
    expect(await page.locator('.source-warning').last().textContent()).toContain(
      'It cites none of its sources',
    );
    expect(embedded.slice(5)).toEqual(['How much is a sack of flour?']);
  });

  test('after a reload files, sources and links are there again', async () => {
    const { page } = part;
    await page.reload();
    await page.locator('.markdown').getByRole('button', { name: 'Source 1' }).waitFor();
    const files = page.getByRole('list', { name: 'Attached files' }).getByRole('listitem');
    await files.first().waitFor();
    expect(await files.count()).toBe(2);
    await page.getByRole('button', { name: 'Remove bread.txt' }).click();
    await expect.poll(() => files.count()).toBe(1);
  });

  test('a dropped file is attached, and the page stays', async () => {
    const { page } = part;
    await page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(new File(['Beer needs hops.'], 'beer.txt', { type: 'text/plain' }));
      const drop = (type: string) =>
        dispatchEvent(new DragEvent(type, { dataTransfer: data, cancelable: true }));
      drop('dragover');
      drop('drop');
    });
    await page.getByRole('button', { name: 'Remove beer.txt' }).waitFor();
    expect(part.errors).toEqual([]);
  });
});
