/** The web chat's files: what is sent with them, and that nothing else can be had. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPage } from './page.ts';
import { head, rawClient, statusOf, withServer } from './testing.cases.ts';

let folder = '';
let root = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-page-'));
  root = path.join(folder, 'web');
  await mkdir(path.join(root, 'assets'), { recursive: true });
  await writeFile(path.join(root, 'index.html'), '<!doctype html><title>chat</title>');
  await writeFile(path.join(root, 'assets/index-B1x2y3z4.js'), 'export {};');
  await writeFile(path.join(root, 'assets/engine-aBcDeFgH.wasm'), 'wasm');
  await writeFile(path.join(root, 'icon.svg'), '<svg/>');
  await writeFile(path.join(folder, 'secret.txt'), 'a secret');
  await symlink(path.join(folder, 'secret.txt'), path.join(root, 'link.txt'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('page', () => {
  it('is served at / with a policy that allows its own files only, isolated from other pages', async () => {
    await withServer({ page: await readPage(root) }, async ({ url }) => {
      const { headers, status } = await fetch(`${url}/`);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('cache-control')).toBe('no-cache');
      expect(headers.get('cross-origin-opener-policy')).toBe('same-origin');
      expect(headers.get('cross-origin-embedder-policy')).toBe('require-corp');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      const policy = headers.get('content-security-policy')?.split('; ');
      expect(policy).toEqual([
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ]);
    });
  });

  it('may ask other servers where that was allowed', async () => {
    await withServer({ page: await readPage(root, ['https://other.example']) }, async ({ url }) => {
      const { headers } = await fetch(`${url}/index.html`);
      expect(headers.get('content-security-policy')).toContain("connect-src 'self' https://other.example;");
    });
  });

  it('has files for ever whose names are hashes, and others that are asked for again', async () => {
    await withServer({ page: await readPage(root) }, async ({ url }) => {
      const script = await fetch(`${url}/assets/index-B1x2y3z4.js`);
      expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
      expect(script.headers.get('cross-origin-embedder-policy')).toBe('require-corp');
      const wasm = await fetch(`${url}/assets/engine-aBcDeFgH.wasm`, { method: 'HEAD' });
      expect(wasm.headers.get('content-type')).toBe('application/wasm');
      expect(wasm.headers.get('content-length')).toBe('4');
      const icon = await fetch(`${url}/icon.svg`);
      expect(icon.headers.get('cache-control')).toBe('no-cache');
      const etag = icon.headers.get('etag') ?? '';
      const again = await fetch(`${url}/icon.svg`, { headers: { 'if-none-match': `"x", W/${etag}` } });
      expect(again.status).toBe(304);
      expect(await again.text()).toBe('');
    });
  });

  it.each([
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%5c..%5csecret.txt',
    '/..%252fsecret.txt',
    '//secret.txt',
    '/\\..\\secret.txt',
    '/assets/%00',
    '/link.txt',
    '/assets',
    '/assets/',
    '/__proto__',
    '/constructor',
  ])('has nothing at %s', async (target) => {
    const api = async (): Promise<Response> => new Response('no such route', { status: 404 });
    await withServer({ page: await readPage(root), api }, async ({ port }) => {
      const client = await rawClient(port, head(`GET ${target}`, { connection: 'close' }));
      const text = await client.end;
      expect([400, 404]).toContain(statusOf(text));
      expect(text).not.toContain('a secret');
    });
  });

  it('says what there is where no page is', () =>
    withServer({}, async ({ url }) => {
      const response = await fetch(`${url}/`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toContain('text/plain');
      expect(await response.text()).toContain('Its API is at /v1');
    }));

  it('needs its folder', async () => {
    await expect(readPage(path.join(folder, 'nothing'))).rejects.toMatchObject({ kind: 'input' });
  });
});
