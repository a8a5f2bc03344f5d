/** The main door in a real browser: it loads without Node, and encodes to the same bytes. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encode, FORMATS, type FormatName } from '../src/quants/index.ts';
import { type BrowserPage, browserMissing, openPage } from './browser.ts';
import { importance, normal, sample } from './random.ts';

const missing = browserMissing();
if (missing) console.warn(`browser suite skipped: ${missing}`);

let browser: BrowserPage | undefined;
beforeAll(async () => {
  if (!missing) browser = await openPage();
});
afterAll(() => browser?.close());

test.skipIf(missing)('the main door loads in a page without errors and names no node: module', () => {
  expect(browser?.errors).toEqual([]);
  expect(browser?.source).not.toMatch(/from\s*['"]node:/);
});

const COLS = 512;
const weights = sample(2 * COLS, normal(1), 0.02);
const columns = importance(COLS, 2);

const encodable = Object.values(FORMATS).filter((format) => 'encode' in format);
test.skipIf(missing).each(encodable.map(({ name }) => name as FormatName))(
  '%s encodes to the same bytes in the browser as in Node',
  async (name) => {
    const inBrowser = await browser?.page.evaluate(
      ({ name, weights, columns, cols }) => {
        const { bitmill } = globalThis as unknown as { bitmill: typeof import('../src/index.ts') };
        const bytes = bitmill.encode(bitmill.FORMATS[name], new Float32Array(weights), cols, {
          importance: new Float32Array(columns),
        });
        return Array.from(bytes);
      },
      { name, weights: Array.from(weights), columns: Array.from(columns), cols: COLS },
    );
    expect(inBrowser).toEqual(Array.from(encode(FORMATS[name], weights, COLS, { importance: columns })));
  },
);
