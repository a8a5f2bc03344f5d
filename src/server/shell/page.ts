/**
 * The web chat: files of one folder, read when the server starts. What is not among them cannot be asked for, so no path
 * leads out of the folder. The page may load nothing but these files and ask nobody but this server.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileError } from '../../platform/index.ts';

/** Types by the ends of names. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};

/** Files whose names change with their content: vite's folder, and a hash of at least 8 letters before the end. */
const HASHED = /^\/assets\/.+-[\w-]{8,}\.\w+$/;
const YEAR = 31_536_000;

export interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** By the path of a request: `/`, `/assets/index-B1x2y3z4.js`. */
export type Page = ReadonlyMap<string, PageFile>;

/**
 * @param connect origins that the page may ask beside this server, `https://other.example`.
 * @throws input error: no such folder.
 */
export async function readPage(folder: string, connect: readonly string[] = []): Promise<Page> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
    throw fileError(folder, error);
  });
  const page = new Map<string, PageFile>();
  for (const entry of entries) {
    // Links are left out: they could lead anywhere.
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const name = `/${path.relative(folder, file).split(path.sep).join('/')}`;
    const bytes = new Uint8Array(await readFile(file));
    page.set(name, { bytes, headers: headersOf(name, bytes, connect) });
  }
  const index = page.get('/index.html');
  if (index) page.set('/', index);
  return page;
}

function headersOf(name: string, bytes: Uint8Array, connect: readonly string[]): Record<string, string> {
  return {
    'content-type': TYPES[path.extname(name).toLowerCase()] ?? 'application/octet-stream',
    'cache-control': HASHED.test(name) ? `public, max-age=${YEAR}, immutable` : 'no-cache',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    'content-security-policy': contentPolicy(connect),
    // Both together give the page shared memory, which threads of an engine in the page need.
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  };
}

/** Own files only; WebAssembly may be compiled, text may not become code. The page's own policy
 * narrows it further. */
function contentPolicy(connect: readonly string[]): string {
  return [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
    "img-src 'self'",
    ["connect-src 'self'", ...connect].join(' '),
    "worker-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** A file of the page, or undefined. HEAD and unchanged files have no body. */
export function pageResponse(page: Page, request: Request, requestPath: string): Response | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  const file = page.get(requestPath);
  if (!file) return undefined;
  const { bytes, headers } = file;
  if (hasTag(request.headers.get('if-none-match'), headers['etag']))
    return new Response(null, { status: 304, headers });
  const length = { 'content-length': String(bytes.length) };
  return new Response(request.method === 'HEAD' ? null : bytes, { headers: { ...headers, ...length } });
}

function hasTag(header: string | null, tag: string): boolean {
  const tags = header?.split(',').map((one) => one.trim().replace(/^W\//, ''));
  return tags?.includes(tag) ?? false;
}
