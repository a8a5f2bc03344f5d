/** The whole web chat in headless Chromium, with a scripted server behind it: what its suites share. */
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { openScriptedApi, type ScriptedApi } from './scripted-api.ts';

const CHROMIUM = process.env['BITMILL_CHROMIUM'] ?? '/usr/bin/chromium';

export interface ChatPage {
  readonly page: Page;
  readonly api: ScriptedApi;
  /** Errors, and warnings of the content security policy; answers with an HTTP error are no errors of the page. */
  readonly errors: string[];
  close(): Promise<void>;
}

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--no-first-run',
    ],
  });
}

/** A fresh profile at the page, its models read. */
export async function openChat(browser: Browser, options: BrowserContextOptions = {}): Promise<ChatPage> {
  const api = await openScriptedApi();
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) errors.push(text);
  });
  await page.goto(api.url);
  await page.getByRole('combobox', { name: 'Model' }).and(page.locator(':enabled')).waitFor();
  return {
    page,
    api,
    errors,
    close: async () => {
      await context.close();
      await api.close();
    },
  };
}

export async function send(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.keyboard.press('Enter');
}

/** The answers that are shown, once none of them is on its way. */
export async function answers(page: Page): Promise<string[]> {
  await page.waitForFunction(
    () => document.querySelector('.answer') && !document.querySelector('.answer[aria-busy="true"]'),
  );
  return page.locator('.answer .markdown').allInnerTexts();
}

export const questions = (page: Page): Promise<string[]> => page.locator('.question .bubble').allInnerTexts();

/** A piece that comes when the test says so. */
export function held(): { readonly piece: Promise<string>; readonly release: (text: string) => void } {
  let release: (text: string) => void = () => undefined;
  const piece = new Promise<string>((resolve) => {
    release = resolve;
  });
  return { piece, release };
}
