/**
 * A hub in miniature for tests: the endpoints of a Hugging Face hub that bitmill uses, with the faults that a
 * test asks for. Files above 1000 bytes count as large: SHA-256 and a redirect to a second origin, as a CDN.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';
const REVISIONS = ['main', 'v1', 'refs/pr/1', COMMIT];
const LARGE = 1000;

/** What went wrong this time; a test sets fields while the server runs. */
export interface HubFaults {
  /** Status for every request, with x-error-code. */
  refuse?: { status: number; code: string };
  /** Status of the next n requests, and what Retry-After says. */
  passing?: { status: number; times: number; after?: string };
  /** Connections that are cut after so many bytes of an answer that is longer. */
  cut?: { after: number; times: number };
  /** Bytes that differ from the listing's checksums. */
  corrupt?: string;
  /** Large files arrive so many bytes at a time, one piece each 20 ms. */
  slow?: number;
  ignoreRange?: boolean;
  /** Ten bytes of every file, then nothing more. */
  silent?: boolean;
  /** No answer at all. */
  deaf?: boolean;
  /** Entries added to the listing. */
  extraEntries?: unknown[];
  /** The listing always has a next page. */
  endless?: boolean;
  /** In place of the commit. */
  commit?: string;
}

export interface HubRequest {
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  /** Whether it came to the second origin. */
  readonly cdn: boolean;
}

export interface HubServer {
  readonly endpoint: string;
  readonly faults: HubFaults;
  readonly requests: HubRequest[];
  close(): Promise<void>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
/** git's name of a blob. */
export const gitSha1 = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

function listing(files: ReadonlyMap<string, Uint8Array>): unknown[] {
  return [...files].map(([path, bytes]) => {
    const common = { type: 'file', path, size: bytes.length, oid: gitSha1(bytes) };
    if (bytes.length <= LARGE) return common;
    return { ...common, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
  });
}

async function sendRange(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  bytes: Uint8Array,
  faults: HubFaults,
): Promise<void> {
  const range = faults.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const begin = range ? Number(range[1]) : 0;
  const end = range?.[2] ? Number(range[2]) + 1 : bytes.length;
  const body = bytes.subarray(begin, end);
  response.writeHead(range ? 206 : 200, {
    'content-length': body.length,
    etag: `"${bytes.length > LARGE ? sha256(bytes) : gitSha1(bytes)}"`,
    'x-repo-commit': COMMIT,
    'x-linked-size': bytes.length,
    'accept-ranges': 'bytes',
    ...(range ? { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` } : {}),
  });
  if (faults.silent) {
    response.write(body.subarray(0, 10));
    return;
  }
  const large = bytes.length > LARGE;
  if (faults.cut && faults.cut.times > 0 && body.length > faults.cut.after) {
    faults.cut.times--;
    response.write(body.subarray(0, faults.cut.after), () => setTimeout(() => response.destroy(), 20));
    return;
  }
  for (let i = 0; large && faults.slow && i < body.length; i += faults.slow) {
    response.write(body.subarray(i, i + faults.slow));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end(large && faults.slow ? undefined : body);
}

async function listen(handler: http.RequestListener): Promise<{ server: http.Server; origin: string }> {
  const server = http.createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Serves one repository. @param files by name. */
export async function startHub(
  repository: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<HubServer> {
  const faults: HubFaults = {};
  const requests: HubRequest[] = [];
  const note = (request: http.IncomingMessage, cdn: boolean) => {
    const { range, authorization } = request.headers;
    requests.push({ url: request.url ?? '', range, authorization, cdn });
  };
  const contents = (name: string) => {
    const bytes = files.get(name);
    return bytes && faults.corrupt === name ? bytes.map((byte) => byte ^ 1) : bytes;
  };
  const cdn = await listen((request, response) => {
    note(request, true);
    void sendRange(
      request,
      response,
      contents(decodeURIComponent((request.url ?? '').slice(1))) as Uint8Array,
      faults,
    );
  });
  const hub = await listen((request, response) => {
    note(request, false);
    const json = (value: unknown, headers = {}) => {
      response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
    };
    const fail = (status: number, code: string, headers = {}) =>
      response.writeHead(status, { 'x-error-code': code, ...headers }).end();
    const url = new URL(request.url ?? '', 'http://hub');
    if (faults.deaf) return;
    if (faults.passing && faults.passing.times > 0) {
      faults.passing.times--;
      const { status, after } = faults.passing;
      return fail(status, 'Busy', after === undefined ? {} : { 'retry-after': after });
    }
    if (faults.refuse) return fail(faults.refuse.status, faults.refuse.code);
    const api = `/api/models/${repository}`;
    if (url.pathname.startsWith(`${api}/revision/`)) {
      const revision = decodeURIComponent(url.pathname.slice(`${api}/revision/`.length));
      if (!REVISIONS.includes(revision)) return fail(404, 'RevisionNotFound');
      return json({ _id: '1', id: repository, sha: faults.commit ?? COMMIT, lastModified: '2026-01-01' });
    }
    if (url.pathname === `${api}/tree/${COMMIT}`) {
      const entries = [
        ...listing(files),
        { type: 'directory', path: 'onnx', size: 0 },
        ...(faults.extraEntries ?? []),
      ];
      return json(entries, faults.endless ? { link: `<${hub.origin}${request.url}>; rel="next"` } : {});
    }
    const [, , , route, revision, ...rest] = url.pathname.split('/').map(decodeURIComponent);
    const name = rest.join('/');
    const ours = url.pathname.startsWith(`/${repository}/`) && route === 'resolve';
    const bytes = ours && REVISIONS.includes(revision) ? contents(name) : undefined;
    if (!bytes) return fail(404, 'RepoNotFound');
    if (bytes.length <= LARGE) return void sendRange(request, response, bytes, faults);
    const linked = {
      'x-repo-commit': COMMIT,
      'x-linked-size': bytes.length,
      'x-linked-etag': `"${sha256(bytes)}"`,
    };
    response.writeHead(302, { location: `${cdn.origin}/${encodeURIComponent(name)}`, ...linked }).end();
  });
  return {
    endpoint: hub.origin,
    faults,
    requests,
    close: async () => {
      for (const { server } of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
