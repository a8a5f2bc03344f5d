/**
 * A hub in miniature that is written to: the endpoints that `@huggingface/hub` calls for a repository, a branch, large
 * files (Git LFS: one request, or parts with a completion) and commits, as the real hub documents them, on two origins.
 * Repositories are maps in memory; faults are rules that a test adds while the server runs.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gitSha1 } from './hub-server.ts';

/** Files above this size, and all *.gguf, are large. */
const LARGE = 1000;
/** Above this size they come in parts of `PART` bytes. */
const PARTED = 50_000;
export const PART = 20_000;

export const WRITE_TOKEN = 'hf_write';
export const READ_TOKEN = 'hf_read';

/** What happens to requests whose `METHOD /path` matches, so many times. */
export interface HubRule {
  readonly match: RegExp;
  times: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The connection is cut after so many bytes of the request's body came. */
  readonly cutAfter?: number;
  /** The work is done, and the connection cut in place of the answer. */
  readonly cutAnswer?: boolean;
  /** No answer. */
  readonly deaf?: boolean;
}

export interface WrittenRequest {
  /** `PUT /store/…`. */
  readonly line: string;
  readonly authorization: string | undefined;
  readonly body: Buffer;
  readonly time: number;
}

type Files = ReadonlyMap<string, Uint8Array>;

export interface HubRepository {
  readonly isPrivate: boolean;
  readonly branches: Map<string, Files>;
}

export interface WritableHub {
  readonly endpoint: string;
  readonly repositories: Map<string, HubRepository>;
  /** By SHA-256. */
  readonly stored: Map<string, Buffer>;
  /** Titles of commits and the files after each. */
  readonly commits: { readonly title: string; readonly branch: string; readonly names: string[] }[];
  readonly requests: WrittenRequest[];
  readonly rules: HubRule[];
  close(): Promise<void>;
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const isLarge = (name: string, size: number) => size > LARGE || name.endsWith('.gguf');

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}
const refuse = (status: number, code: string): Answer => ({ status, headers: { 'x-error-code': code } });

function listing(files: Files): unknown[] {
  return [...files].map(([path, bytes]) => {
    const entry = { type: 'file', path, size: bytes.length, oid: gitSha1(bytes) };
    if (!isLarge(path, bytes.length)) return entry;
    return { ...entry, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } };
  });
}

/** Name of a branch's state, as a commit. */
const commitOf = (files: Files) =>
  createHash('sha1')
    .update(JSON.stringify([...files].map(([name, bytes]) => [name, sha256(bytes)])))
    .digest('hex');

class Hub {
  readonly repositories = new Map<string, HubRepository>();
  readonly stored = new Map<string, Buffer>();
  readonly parts = new Map<string, Buffer>();
  readonly commits: WritableHub['commits'] = [];
  hubOrigin = '';
  storeOrigin = '';

  answer(method: string, url: URL, body: Buffer, token: string | undefined): Answer {
    const path = url.pathname;
    if (method === 'PUT') return this.#store(path, body);
    if (method === 'POST' && token === undefined) return refuse(401, '');
    if (method === 'POST' && token !== WRITE_TOKEN) return { status: 403, json: { error: 'no rights' } };
    if (path === '/api/repos/create') return this.#create(JSON.parse(body.toString()));
    if (path.startsWith('/complete/')) return this.#complete(JSON.parse(body.toString()));
    const lfs = /^\/(.+)\.git\/info\/lfs\/objects\/batch$/.exec(path)?.[1];
    const [, id, route, rest = ''] = /^\/api\/models\/([^/]+\/[^/]+)\/(\w+)\/(.+)$/.exec(path) ?? [];
    const repository = this.repositories.get(lfs ?? id ?? '');
    if (!repository) return refuse(token ? 404 : 401, 'RepoNotFound');
    if (lfs) return this.#batch(JSON.parse(body.toString()));
    const name = decodeURIComponent(rest);
    if (route === 'branch') return this.#branch(repository, name);
    if (route === 'tree') return this.#tree(repository, name);
    const files = repository.branches.get(name);
    if (!files) return refuse(404, 'RevisionNotFound');
    if (route === 'revision') {
      const json = { _id: '1', id, sha: commitOf(files), private: repository.isPrivate };
      return { status: 200, json };
    }
    if (route === 'preupload') return this.#preupload(JSON.parse(body.toString()));
    if (route === 'commit') return this.#commit(repository, id ?? '', name, body.toString(), url);
    return refuse(404, 'Unknown');
  }

  #create(wanted: { organization: string; name: string; visibility?: string }): Answer {
    const id = `${wanted.organization}/${wanted.name}`;
    if (this.repositories.has(id)) return { status: 409, json: { error: 'You already created this' } };
    const isPrivate = wanted.visibility === 'private';
    this.repositories.set(id, { isPrivate, branches: new Map([['main', new Map()]]) });
    return { status: 200, json: { url: `${this.hubOrigin}/${id}`, id: '1' } };
  }

  #branch(repository: HubRepository, name: string): Answer {
    if (repository.branches.has(name)) return refuse(409, 'Exists');
    repository.branches.set(name, repository.branches.get('main') ?? new Map());
    return { status: 200, json: {} };
  }

  #tree(repository: HubRepository, commit: string): Answer {
    const files = [...repository.branches.values()].find((one) => commitOf(one) === commit);
    return files ? { status: 200, json: listing(files) } : refuse(404, 'RevisionNotFound');
  }

  #preupload({ files }: { files: { path: string; size: number }[] }): Answer {
    const modes = files.map(({ path, size }) => ({
      path,
      uploadMode: isLarge(path, size) ? 'lfs' : 'regular',
    }));
    return { status: 200, json: { files: modes } };
  }

  #batch({ objects, transfers }: { objects: { oid: string; size: number }[]; transfers: string[] }): Answer {
    const answers = objects.map(({ oid, size }) => {
      if (this.stored.has(oid)) return { oid, size };
      if (size <= PARTED)
        return { oid, size, actions: { upload: { href: `${this.storeOrigin}/store/${oid}` } } };
      const count = Math.ceil(size / PART);
      const numbers = Array.from({ length: count }, (_, index) => String(index + 1).padStart(5, '0'));
      const addresses = numbers.map((number) => [number, `${this.storeOrigin}/part/${oid}/${number}`]);
      const header = { chunk_size: String(PART), ...Object.fromEntries(addresses) };
      return { oid, size, actions: { upload: { href: `${this.hubOrigin}/complete/${oid}`, header } } };
    });
    const transfer = transfers.includes('xet') ? 'xet' : 'multipart';
    return { status: 200, json: { transfer, objects: answers } };
  }

  #store(path: string, body: Buffer): Answer {
    const [, kind, oid, number] = path.split('/');
    if (kind === 'part') this.parts.set(`${oid}/${number}`, body);
    else if (sha256(body) === oid) this.stored.set(oid, body);
    else return { status: 400 };
    return { status: 200, headers: { etag: `"${sha256(body).slice(0, 8)}"` } };
  }

  #complete({ oid, parts }: { oid: string; parts: { partNumber: number; etag: string }[] }): Answer {
    const pieces = parts.map(({ partNumber }) =>
      this.parts.get(`${oid}/${String(partNumber).padStart(5, '0')}`),
    );
    const right = parts.every(({ etag }, i) => etag === `"${sha256(pieces[i] ?? Buffer.of()).slice(0, 8)}"`);
    const whole = Buffer.concat(pieces.map((piece) => piece ?? Buffer.of()));
    if (!right || sha256(whole) !== oid) return { status: 400, json: { error: 'parts do not fit' } };
    this.stored.set(oid, whole);
    return { status: 200, json: {} };
  }

  #commit(repository: HubRepository, id: string, branch: string, body: string, url: URL): Answer {
    const lines = body.split('\n').map((line) => JSON.parse(line));
    const files = new Map(repository.branches.get(branch));
    for (const { key, value } of lines) {
      if (key === 'file') files.set(value.path, Buffer.from(value.content, 'base64'));
      if (key !== 'lfsFile') continue;
      const bytes = this.stored.get(value.oid);
      if (!bytes) return { status: 400, json: { error: `${value.path} was not uploaded` } };
      files.set(value.path, bytes);
    }
    const opens = url.searchParams.get('create_pr') === '1';
    const number = [...repository.branches.keys()].filter((name) => name.startsWith('refs/pr/')).length + 1;
    const target = opens ? `refs/pr/${number}` : branch;
    repository.branches.set(target, files);
    this.commits.push({ title: lines[0].value.summary, branch: target, names: [...files.keys()].sort() });
    const commitOid = commitOf(files);
    const commitUrl = `${this.hubOrigin}/${id}/commit/${commitOid}`;
    const page = opens ? { pullRequestUrl: `${this.hubOrigin}/${id}/discussions/${number}` } : {};
    return { status: 200, json: { success: true, commitOid, commitUrl, hookOutput: '', ...page } };
  }
}

/** The body of a request; cut off where a rule says so. */
async function bodyOf(request: http.IncomingMessage, rule: HubRule | undefined): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request) {
    pieces.push(piece);
    length += piece.length;
    if (rule?.cutAfter !== undefined && length > rule.cutAfter) return undefined;
  }
  return rule?.cutAfter === undefined ? Buffer.concat(pieces) : undefined;
}

export async function startWritableHub(): Promise<WritableHub> {
  const hub = new Hub();
  const rules: HubRule[] = [];
  const requests: WrittenRequest[] = [];
  const handle = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '', 'http://hub');
    const line = `${request.method} ${url.pathname}`;
    const rule = rules.find(({ match, times }) => times > 0 && match.test(line));
    if (rule) rule.times--;
    const { socket } = request;
    const { authorization } = request.headers;
    if (rule?.status && Number(request.headers['content-length'] ?? 0) > 30_000) {
      // Refused before it came: the rest of the body is not wanted.
      requests.push({ line, authorization, body: Buffer.of(), time: Date.now() });
      response.writeHead(rule.status, { connection: 'close', ...rule.headers }).end(rule.body);
      return;
    }
    const body = await bodyOf(request, rule).catch(() => undefined);
    requests.push({ line, authorization, body: body ?? Buffer.of(), time: Date.now() });
    if (rule?.deaf) return;
    if (body === undefined) return void socket.destroy();
    if (rule?.status) {
      response.writeHead(rule.status, { ...rule.headers }).end(rule.body);
      return;
    }
    const token = authorization?.replace(/^Bearer /, '');
    const { status, headers, json } = hub.answer(request.method ?? '', url, body, token);
    if (rule?.cutAnswer) return void socket.destroy();
    const type = json === undefined ? {} : { 'content-type': 'application/json' };
    const text = json === undefined ? '' : JSON.stringify(json);
    response.writeHead(status, { ...type, 'content-length': Buffer.byteLength(text), ...headers }).end(text);
  };
  const servers: http.Server[] = [];
  const listen = async (): Promise<string> => {
    const server = http.createServer((request, response) => void handle(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  hub.hubOrigin = await listen();
  hub.storeOrigin = await listen();
  const { repositories, stored, commits } = hub;
  return {
    endpoint: hub.hubOrigin,
    repositories,
    stored,
    commits,
    requests,
    rules,
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
