/**
 * A page in headless Chromium with bitmill's main door loaded, for browser suites: the library is bundled
 * by Vite, served from this process on loopback, and put on the page as `globalThis.bitmill`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { build } from 'vite';

const CHROMIUM = process.env['BITMILL_CHROMIUM'] ?? '/usr/bin/chromium';

/** Why no browser can be driven here, or undefined. */
export function browserMissing(): string | undefined {
  return existsSync(CHROMIUM) ? undefined : `no Chromium at ${CHROMIUM} (set BITMILL_CHROMIUM)`;
}

async function bundle(): Promise<string> {
  const outDir = mkdtempSync(path.join(os.tmpdir(), 'bitmill-bundle-'));
  try {
    await build({
      configFile: false,
      logLevel: 'error',
      build: {
        outDir,
        minify: false,
        lib: {
          entry: fileURLToPath(new URL('../dist/index.js', import.meta.url)),
          formats: ['es'],
          fileName: () => 'bitmill.js',
        },
      },
    });
    return readFileSync(path.join(outDir, 'bitmill.js'), 'utf8');
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

const PAGE = `<!doctype html><title>bitmill</title><script type="module">
import * as bitmill from './bitmill.js';
globalThis.bitmill = bitmill;
document.title = 'ready';
</script>`;

export interface BrowserPage {
  readonly page: Page;
  /** Source text of the bundle. */
  readonly source: string;
  readonly errors: readonly string[];
  close(): Promise<void>;
}

/** @param files more files to serve, by path; Range requests work. */
export async function openPage(files: Readonly<Record<string, Uint8Array>> = {}): Promise<BrowserPage> {
  const source = await bundle();
  const served: Record<string, Uint8Array> = {
    '/': Buffer.from(PAGE),
    '/bitmill.js': Buffer.from(source),
    ...files,
  };
  const server = http.createServer((request, response) => {
    const body = served[request.url ?? ''];
    if (!body) return void response.writeHead(404).end();
    const type =
      request.url === '/'
        ? 'text/html'
        : request.url?.endsWith('.js')
          ? 'text/javascript'
          : 'application/octet-stream';
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (!range)
      return void response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body);
    const last = Math.min(Number(range[2]), body.length - 1);
    response.writeHead(206, {
      'content-type': type,
      'content-range': `bytes ${range[1]}-${last}/${body.length}`,
    });
    response.end(body.subarray(Number(range[1]), last + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => document.title === 'ready', undefined, { timeout: 30_000 });
  return {
    page,
    source,
    errors,
    close: async () => {
      await browser.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
