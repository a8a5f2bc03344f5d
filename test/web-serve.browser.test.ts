/** The web chat as `bitmill serve` serves it, with the embedded model: the built page and the real API together. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { browserMissing } from './browser.ts';
import { answers, launchChromium, send } from './web-chat.ts';

const missing = browserMissing();
if (missing) console.warn(`web chat with serve skipped: ${missing}`);

const BIN = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));

let browser: Browser | undefined;
let server: ChildProcess | undefined;
let url = '';

beforeAll(async () => {
  if (missing) return;
  const flags = ['-m', 'phi3-tiny', '-t', '1', '-c', '256', '--slots', '2', '--port', '0', '--json'];
  const child = spawn(process.execPath, [BIN, 'serve', ...flags, '--log', 'silent'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  server = child;
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  url = (JSON.parse(String(line)) as { url: string }).url;
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  server?.kill('SIGKILL');
});

test.skipIf(missing)('the page finds the model, asks it, and stays within the policy', async () => {
  if (!browser) throw new Error('no browser');
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  const model = page.getByRole('combobox', { name: 'Model' });
  await expect.poll(() => model.innerText(), { timeout: 20_000 }).toBe('phi3-tiny · Q8_0');
  await page.getByRole('button', { name: 'Parameters' }).click();
  await page.getByLabel('Temperature').fill('0');
  await page.getByLabel('Longest answer').fill('8');
  await send(page, 'Hello');
  const [first] = await answers(page);
  expect(first.length).toBeGreaterThan(0);
  expect(await page.locator('.facts').innerText()).toMatch(/^phi3-tiny · \d+ → \d tokens/);
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.getByText('2/2').waitFor();
  expect(await answers(page)).toEqual([first]);

  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Base URL').fill('http://elsewhere.example/v1');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('start it with --connect http://elsewhere.example').waitFor();
  expect(errors.filter((text) => !/elsewhere\.example/.test(text))).toEqual([]);
});

test.skipIf(missing)('a comparison that is longer than the window scrolls, and the page stays', async () => {
  if (!browser) throw new Error('no browser');
  const page = await browser.newPage({ viewport: { width: 1000, height: 420 } });
  await page.goto(url);
  await page.getByRole('button', { name: 'Compare', exact: true }).first().click();
  const prompt = page.getByRole('textbox').last();
  await prompt.fill('What is 7 plus 5?');
  await prompt.press('Enter');
  await page.getByText('of the tokens equal').waitFor();
  const view = page.locator('.cmp-page');
  const { height, content } = await view.evaluate((it) => ({
    height: it.clientHeight,
    content: it.scrollHeight,
  }));
  expect(height).toBeLessThan(420);
  expect(content).toBeGreaterThan(height);
  await view.hover();
  await page.mouse.wheel(0, 300);
  await expect.poll(() => view.evaluate((it) => it.scrollTop)).toBeGreaterThan(0);
  await page.getByText('of the tokens equal').evaluate((it) => it.scrollIntoView({ block: 'start' }));
  expect(await page.evaluate(() => document.scrollingElement?.scrollTop)).toBe(0);
  await page.close();
});
