/**
 * A part of the web chat alone on a page in headless Chromium, under the page's own content security policy, with a
 * scripted API behind it. For suites of components; suites of the whole page start the whole page.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { CONTENT_SECURITY_POLICY } from '../apps/web/csp.ts';

const CHROMIUM = process.env['BITMILL_CHROMIUM'] ?? '/usr/bin/chromium';

/** Answers a request of the page; undefined: not one of its addresses. */
export type Api = (
  path: string,
  body: Record<string, unknown>,
  response: http.ServerResponse,
) => Promise<void> | undefined;

export interface PartPage {
  readonly page: Page;
  readonly url: string;
  /** What the page could not do or threw. */
  readonly errors: readonly string[];
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
};

/** @param entry a module of `apps/web/src`. */
async function bundle(entry: string): Promise<Map<string, Buffer>> {
  const outDir = mkdtempSync(path.join(os.tmpdir(), 'bitmill-web-'));
  const root = fileURLToPath(new URL('../apps/web/', import.meta.url));
  try {
    await build({
      configFile: path.join(root, 'vite.config.ts'),
      logLevel: 'error',
      build: {
        outDir,
        minify: false,
        rolldownOptions: {
          input: path.join(root, 'src', entry),
          output: { entryFileNames: 'page.js', assetFileNames: '[name][extname]' },
        },
        cssCodeSplit: false,
      },
    });
    const names = readdirSync(outDir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
    const files = names.map((one) => path.join(one.parentPath, one.name));
    return new Map(files.map((file) => [`/${path.relative(outDir, file)}`, readFileSync(file)]));
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

export interface PartOptions {
  readonly entry: string;
  readonly api?: Api;
  /** More files, by path. Range requests work. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Let the page share memory with its workers. */
  readonly isolated?: boolean;
  readonly viewport?: { readonly width: number; readonly height: number };
}

export async function openPart(options: PartOptions): Promise<PartPage> {
  const files = await bundle(options.entry);
  const styles = [...files.keys()].filter((name) => name.endsWith('.css'));
  const links = styles.map((name) => `<link rel="stylesheet" href=".${name}">`).join('');
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>part</title>${links}<div id="app"></div><script type="module" src="./page.js"></script></html>`;
  files.set('/', Buffer.from(html)).set('/favicon.ico', Buffer.alloc(0));
  for (const [name, bytes] of Object.entries(options.files ?? {})) files.set(name, Buffer.from(bytes));
  const server = http.createServer((request, response) => {
    void serve(files, options, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await launch();
  const page = await browser.newPage({ viewport: options.viewport ?? { width: 1200, height: 900 } });
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await page.goto(url);
  return {
    page,
    url,
    errors,
    close: async () => {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function launch(): Promise<Browser> {
  const args = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--no-first-run',
  ];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

async function serve(
  files: ReadonlyMap<string, Buffer>,
  { api, isolated }: PartOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://here');
  const file = files.get(pathname);
  if (!file) {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const answered = api?.(pathname, text ? JSON.parse(text) : {}, response);
    if (answered) await answered;
    else response.writeHead(404).end();
    return;
  }
  response.setHeader('content-type', TYPES[path.extname(pathname) || '.html'] ?? 'application/octet-stream');
  response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY);
  if (isolated) {
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (!range) return void response.end(file);
  const last = Math.min(Number(range[2]), file.length - 1);
  response.writeHead(206, { 'content-range': `bytes ${range[1]}-${last}/${file.length}` });
  response.end(file.subarray(Number(range[1]), last + 1));
}

/** What axe finds to be serious or critical, as `rule: target`. */
export async function seriousFaults(page: Page): Promise<string[]> {
  // The page's policy lets no string become code; the debugger's own evaluation is not bound by it.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(): Promise<import('axe-core').AxeResults> } }).axe.run(),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

/** Server-sent events of an answer, a token each; a pause in ms between them. */
export async function streamAnswer(
  response: http.ServerResponse,
  tokens: readonly {
    readonly token: string;
    readonly logprob: number;
    readonly top?: readonly [string, number][];
  }[],
  pause = 0,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (data: object) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  for (const { token, logprob, top = [] } of tokens) {
    const top_logprobs = top.map(([other, ln]) => ({ token: other, logprob: ln }));
    const content = [{ token, logprob, top_logprobs }];
    send({ choices: [{ index: 0, delta: { content: token }, logprobs: { content }, finish_reason: null }] });
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  send({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  send({ choices: [], usage: { prompt_tokens: 9, completion_tokens: tokens.length } });
  response.end('data: [DONE]\n\n');
}
