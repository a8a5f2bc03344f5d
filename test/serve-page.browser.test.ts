/** The web chat as `bitmill serve` hands it out, with a real model behind it: its policies hold, and it answers. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browserMissing } from './browser.ts';
import { killAll, type Running, startServe } from './serve-child.ts';
import { answers, launchChromium, send } from './web-chat.ts';

const missing = browserMissing();
if (missing) console.warn(`suite of the served page skipped: ${missing}`);

let browser: Browser | undefined;
let server: Running | undefined;
beforeAll(async () => {
  if (missing) return;
  browser = await launchChromium();
  server = await startServe('--slots', '2');
});
afterAll(async () => {
  await browser?.close();
  killAll();
});

describe.skipIf(missing)('the served page', () => {
  test('answers from the model, isolated from other pages and without a breach of its policy', async () => {
    if (!browser || !server) throw new Error('nothing to test');
    const { url } = server.ready;
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    const response = await page.goto(url);
    expect(response?.headers()['content-security-policy']).toContain("default-src 'self'");
    await page.getByRole('combobox', { name: 'Model' }).and(page.locator(':enabled')).waitFor();
    expect(await page.evaluate(() => [crossOriginIsolated, typeof SharedArrayBuffer])).toEqual([
      true,
      'function',
    ]);
    await send(page, 'What is the capital of France?');
    const [answer] = await answers(page);
    expect(answer).toContain('Paris');
    expect(errors).toEqual([]);
    const elsewhere = await page.evaluate(() => fetch('http://localhost:1/').catch((error) => String(error)));
    expect(elsewhere).toContain('Failed to fetch');
    expect(errors.join()).toContain('Content Security Policy');
    await page.close();
  });

  test('cannot be asked by a page of another site, not even under a name of its own', async () => {
    if (!browser || !server) throw new Error('nothing to test');
    const { port, url } = server.ready;
    const page = await browser.newPage();
    const site = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>another site</title>');
    }).listen(0, '127.0.0.1');
    await once(site, 'listening');
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    const asked = await page.evaluate(async (address) => {
      const ask = (init: RequestInit) => fetch(`${address}/v1/chat/completions`, init).catch(() => 'refused');
      const body = '{"messages":[{"role":"user","content":"Hi"}]}';
      // Without a preflight: the first for its method, the second because nobody wants to read the answer.
      return [await ask({}), await ask({ method: 'POST', mode: 'no-cors', body })];
    }, url);
    expect(asked).toEqual(['refused', 'refused']);
    const refused = /"method":"POST","path":"\/v1\/chat\/completions","route":"none","status":403/;
    while (!refused.test(server.stderr())) await new Promise((resolve) => setTimeout(resolve, 20));
    await page.close();
    site.closeAllConnections();
    site.close();
    const rebound = await launchRebound();
    try {
      const other = await rebound.newPage();
      const answer = await other.goto(`http://evil.example:${port}/`);
      expect(answer?.status()).toBe(403);
      expect(await answer?.text()).toContain('is not a name of this server');
    } finally {
      await rebound.close();
    }
  });
});

/** A browser to which a foreign name has our address: what DNS rebinding comes to. */
async function launchRebound(): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: process.env['BITMILL_CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP evil.example 127.0.0.1'],
  });
}
