/** Uploading against a local server that speaks the hub's endpoints for writing. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentProgress } from '../src/core/index.ts';
import { type UploadFile, type UploadOptions, uploadFiles } from '../src/platform/index.ts';
import {
  type HubRule,
  PART,
  READ_TOKEN,
  startWritableHub,
  WRITE_TOKEN,
  type WritableHub,
} from './hub-writes.ts';

const REPOSITORY = 'acme/tiny-GGUF';
const BIN = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
/** Bytes that differ from one file to the next. */
const bytes = (size: number, seed: number) =>
  Uint8Array.from({ length: size }, (_, i) => (i * seed + (i >> 8)) & 255);

/** Small, one request, one request (the largest such), three parts and a rest. */
const CONTENTS: Readonly<Record<string, Uint8Array>> = {
  'tiny-Q4_0.gguf': bytes(3 * PART + 5, 3),
  'tiny-Q8_0.gguf': bytes(50_000, 5),
  'imatrix.gguf': bytes(200, 7),
  'images/loss.svg': bytes(300, 11),
  'README.md': new TextEncoder().encode('# tiny\n'),
};
const NAMES = Object.keys(CONTENTS);

let hub: WritableHub;
let folder = '';

async function write(name: string, content: Uint8Array | string): Promise<UploadFile> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return { name, file, size: content.length };
}

async function files(): Promise<UploadFile[]> {
  const all: UploadFile[] = [];
  for (const name of NAMES) all.push(await write(name, CONTENTS[name]));
  return all;
}

function upload(list: readonly UploadFile[], options: UploadOptions = {}, name = REPOSITORY) {
  const ours = { endpoint: hub.endpoint, token: WRITE_TOKEN, offline: false, retries: 2, retryMs: 5 };
  return uploadFiles(name, list, { ...ours, ...options });
}

function rule(match: RegExp, times: number, what: Partial<HubRule>): void {
  hub.rules.push({ match, times, ...what });
}

/** What a branch holds, as the names of the files whose bytes are those of CONTENTS. */
function there(branch = 'main', repository = REPOSITORY): string[] {
  const stored = hub.repositories.get(repository)?.branches.get(branch) ?? new Map<string, Uint8Array>();
  return [...stored].flatMap(([name, content]) => {
    const whole = CONTENTS[name] !== undefined && Buffer.compare(content, CONTENTS[name]) === 0;
    return [whole ? name : `${name} (other bytes)`];
  });
}

const lines = (match: RegExp) => hub.requests.filter(({ line }) => match.test(line));

beforeEach(async () => {
  hub = await startWritableHub();
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-upload-'));
});
afterEach(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
});

describe('files', () => {
  test('go into a new repository in one commit: small ones in it, large ones as one request or in parts', async () => {
    const outcome = await upload(await files(), { message: 'first' });
    expect(there().sort()).toEqual([...NAMES].sort());
    expect(outcome).toMatchObject({ created: true, revision: 'main', skipped: [] });
    expect(outcome.url).toBe(`${hub.endpoint}/${REPOSITORY}`);
    expect(hub.commits.map(({ title, branch }) => [title, branch])).toEqual([['first', 'main']]);
    expect(outcome.commits.length).toBe(1);
    expect(lines(/^PUT \/part\//).length).toBe(4);
    expect(lines(/^PUT \/store\//).length).toBe(2);
    expect(lines(/^POST \/complete\//).length).toBe(1);
    expect(hub.repositories.get(REPOSITORY)?.isPrivate).toBe(false);
  });

  test('are not asked for by Xet', async () => {
    await upload(await files());
    const [batch] = lines(/objects\/batch$/);
    expect(JSON.parse(batch.body.toString()).transfers).toEqual(['basic', 'multipart']);
  });

  test('go into a private repository, on a branch, which are made', async () => {
    const outcome = await upload(await files(), { private: true, revision: 'next' });
    expect(outcome.revision).toBe('next');
    expect(hub.repositories.get(REPOSITORY)?.isPrivate).toBe(true);
    expect(there('next').length).toBe(NAMES.length);
    expect(there('main')).toEqual([]);
  });

  test('are proposed in a pull request, and the branch stays as it was', async () => {
    const outcome = await upload(await files(), { createPr: true });
    expect(outcome.pullRequest).toBe(`${hub.endpoint}/${REPOSITORY}/discussions/1`);
    expect(there('refs/pr/1').length).toBe(NAMES.length);
    expect(there('main')).toEqual([]);
  });

  test('that are many come in several commits of one pull request, README.md with the last', async () => {
    const many: UploadFile[] = [];
    for (let i = 0; i < 60; i++) many.push(await write(`part-${i}.txt`, `number ${i}`));
    many.push(await write('README.md', CONTENTS['README.md']));
    await upload(many, { createPr: true, message: 'many' });
    expect(hub.commits.map(({ title, branch, names }) => [title, branch, names.length])).toEqual([
      ['many (1 of 2)', 'refs/pr/1', 50],
      ['many (2 of 2)', 'refs/pr/1', 61],
    ]);
    expect(hub.commits[0].names).not.toContain('README.md');
  });

  test('report their bytes up to all of them, also when a part is sent twice', async () => {
    rule(/^PUT \/part\//, 1, { cutAfter: 5000 });
    const seen = { total: 0, last: 0 };
    const progress = {
      ...silentProgress,
      start: (_label: string, total: number) => void Object.assign(seen, { total, last: 0 }),
      update: (last: number) => void Object.assign(seen, { last }),
    };
    await upload(await files(), { progress });
    const sum = NAMES.reduce((total, name) => total + CONTENTS[name].length, 0);
    expect(seen).toEqual({ total: sum, last: sum });
  });

  test('of a folder of links are those that the links lead to', async () => {
    const real = await write('blob', CONTENTS['tiny-Q8_0.gguf']);
    const file = path.join(folder, 'link.gguf');
    await symlink(real.file, file);
    await upload([{ name: 'tiny-Q8_0.gguf', file, size: real.size }]);
    expect(there()).toEqual(['tiny-Q8_0.gguf']);
  });
});

describe('what is there already', () => {
  test('is not sent again, and makes no commit', async () => {
    const list = await files();
    await upload(list);
    const before = hub.requests.length;
    const outcome = await upload(list);
    expect(outcome.sent).toEqual([]);
    expect(outcome.skipped.map(({ name }) => name)).toEqual(NAMES);
    expect(outcome.created).toBe(false);
    expect(hub.requests.slice(before).every(({ line }) => line.startsWith('GET '))).toBe(true);
  });

  test('is sent again when one byte differs, in a large file and in a small one', async () => {
    await upload(await files());
    const list = await files();
    const other = bytes(50_000, 5);
    other[49_999] ^= 1;
    await write('tiny-Q8_0.gguf', other);
    await write('README.md', '# tinY\n');
    const outcome = await upload(list);
    expect(outcome.sent.map(({ name }) => name)).toEqual(['tiny-Q8_0.gguf', 'README.md']);
  });

  test('after an upload that was cut off for good, only the rest is sent', async () => {
    const list = await files();
    rule(/^POST \/api\/models\/acme\/tiny-GGUF\/commit\//, 9, { status: 500 });
    await expect(upload(list)).rejects.toMatchObject({ kind: 'network' });
    hub.rules.length = 0;
    const before = hub.requests.length;
    await upload(list);
    expect(there().sort()).toEqual([...NAMES].sort());
    expect(hub.requests.slice(before).filter(({ line }) => line.startsWith('PUT '))).toEqual([]);
  });

  test('of a dry run is told, nothing is written, and no token is needed', async () => {
    const outcome = await upload(await files(), { dryRun: true, token: undefined }).catch((error) => error);
    expect(outcome).toMatchObject({ kind: 'network', status: 401 }); // a hub hides what is not public
    const allowed = await upload(await files(), { dryRun: true });
    expect(allowed).toMatchObject({ created: true, commits: [] });
    expect(allowed.sent.length).toBe(NAMES.length);
    expect(hub.repositories.size).toBe(0);
    expect(lines(/^(POST|PUT) /)).toEqual([]);
  });

  test('a public repository stays public with --private, which is said', async () => {
    const list = await files();
    await upload(list);
    const warnings: string[] = [];
    await upload(list, {
      private: true,
      progress: { ...silentProgress, warn: (text) => void warnings.push(text) },
    });
    expect(warnings).toEqual([`${REPOSITORY} exists and is public; --private leaves it so`]);
  });
});

describe('faults on the way', () => {
  const PLACES: readonly [string, RegExp][] = [
    ['asking for the revision', /^GET \/api\/models\/.*\/revision\//],
    ['making the repository', /^POST \/api\/repos\/create/],
    ['announcing files', /preupload/],
    ['asking where large files go', /objects\/batch$/],
    ['sending a file', /^PUT \/store\//],
    ['sending a part', /^PUT \/part\//],
    ['completing parts', /^POST \/complete\//],
    ['the commit', /\/commit\/main$/],
  ];
  for (const [what, match] of PLACES) {
    test(`503 and a cut connection while ${what} are tried again`, async () => {
      rule(match, 1, { status: 503 });
      rule(match, 1, { cutAfter: -1 });
      await upload(await files());
      expect(there().sort()).toEqual([...NAMES].sort());
    });
  }

  test('a connection cut in the middle of a file sends that file again, alone', async () => {
    rule(/^PUT \/store\//, 1, { cutAfter: 1000 });
    await upload(await files());
    expect(there().length).toBe(NAMES.length);
    expect(lines(/^PUT \/store\//).length).toBe(3);
    expect(lines(/^PUT \/part\//).length).toBe(4);
  });

  test('a commit whose answer is lost is made again, and leaves the same files', async () => {
    rule(/\/commit\/main$/, 1, { cutAnswer: true });
    await upload(await files());
    expect(there().sort()).toEqual([...NAMES].sort());
    expect(hub.commits.length).toBe(2);
  });

  test('a pull request whose answer is lost is not opened twice', async () => {
    rule(/\/commit\/main$/, 1, { cutAnswer: true });
    await expect(upload(await files(), { createPr: true })).rejects.toMatchObject({
      kind: 'network',
      hint: expect.stringMatching(/pull request may have been opened/),
    });
    expect(hub.commits.length).toBe(1);
  });

  test('429 waits as long as Retry-After says', async () => {
    rule(/^PUT \/store\//, 1, { status: 429, headers: { 'retry-after': '1' } });
    await upload([await write('tiny-Q8_0.gguf', CONTENTS['tiny-Q8_0.gguf'])]);
    const [first, second] = lines(/^PUT \/store\//).map(({ time }) => time);
    expect(second - first).toBeGreaterThanOrEqual(990);
    expect(second - first).toBeLessThan(5000);
  });

  test('a hub that asks for an hour is believed: the work ends at once, and says so', async () => {
    rule(/preupload/, 1, { status: 429, headers: { 'retry-after': '3600' } });
    await expect(upload(await files())).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(
        /^acme\/tiny-GGUF: 127.0.0.1:\d+ answers 429 .*and asks to wait 3600 s$/,
      ),
    });
    expect(lines(/preupload/).length).toBe(1);
  });

  test('a hub that falls silent is given up after the retries', async () => {
    rule(/^PUT \/store\//, 9, { deaf: true });
    const list = [await write('tiny-Q8_0.gguf', CONTENTS['tiny-Q8_0.gguf'])];
    await expect(upload(list, { stallMs: 100, retries: 1 })).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/^acme\/tiny-GGUF\/tiny-Q8_0.gguf: .*nothing moved for 0.1 s$/),
    });
    expect(lines(/^PUT \/store\//).length).toBe(2);
  });
});

describe('refusals', () => {
  const cases: readonly [string, RegExp, Partial<HubRule>, RegExp, RegExp][] = [
    [
      '401 on the commit',
      /\/commit\//,
      { status: 401 },
      /acme\/tiny-GGUF: .* 401/,
      /does not accept the token/,
    ],
    [
      '403 on the repository',
      /repos\/create/,
      { status: 403 },
      /acme\/tiny-GGUF: .* 403/,
      /may not make repositories/,
    ],
    [
      '403 on the commit',
      /\/commit\//,
      { status: 403 },
      /acme\/tiny-GGUF: .* 403/,
      /may not write.*role "write".*--create-pr/,
    ],
    ['404 on the commit', /\/commit\//, { status: 404 }, /acme\/tiny-GGUF: .* 404/, /branch/],
    [
      '409 on the commit',
      /\/commit\//,
      { status: 409 },
      /acme\/tiny-GGUF: .* 409/,
      /Run the same command again/,
    ],
    [
      '413 for a file',
      /^PUT \/store/,
      { status: 413 },
      /acme\/tiny-GGUF\/tiny-Q8_0.gguf: .* 413/,
      /bitmill split/,
    ],
    [
      '413 for a part',
      /^PUT \/part/,
      { status: 413 },
      /tiny-GGUF\/tiny-Q4_0.gguf, part \d of 4: .* 413/,
      /bitmill split/,
    ],
    [
      'an address that has expired',
      /^PUT \/store/,
      { status: 403 },
      /tiny-Q8_0.gguf: .* 403/,
      /has expired.*Run the same command again/,
    ],
  ];
  for (const [what, match, how, message, hint] of cases) {
    test(`${what}: says which repository and file, and what to do; not tried again`, async () => {
      const all = (await files()).filter(({ name }) => name !== 'imatrix.gguf');
      rule(match, 9, how);
      await expect(upload(all)).rejects.toMatchObject({
        kind: 'network',
        exitCode: 4,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      });
      expect(lines(match).length).toBeLessThanOrEqual(match.source.includes('part') ? 4 : 1);
    });
  }

  test('a token that may only read is told so, with the words of the hub', async () => {
    await expect(upload(await files(), { token: READ_TOKEN })).rejects.toMatchObject({
      message: expect.stringMatching(/answers 403 \(no rights\)/),
      hint: expect.stringMatching(/may not make repositories/),
    });
    expect(hub.repositories.size).toBe(0);
  });

  test('no token, offline, no repository id: nothing is asked', async () => {
    const list = await files();
    await expect(upload(list, { token: undefined })).rejects.toMatchObject({
      exitCode: 4,
      hint: expect.stringMatching(/Set HF_TOKEN to a token with the right to write/),
    });
    await expect(upload(list, { offline: true })).rejects.toMatchObject({ exitCode: 4 });
    for (const name of ['nope', 'a/b/c', 'a/b@main', '../a/b', 'a--b/c']) {
      await expect(upload(list, {}, name)).rejects.toMatchObject({ kind: 'input' });
    }
    expect(hub.requests).toEqual([]);
  });

  test('nobody listens', async () => {
    await expect(upload(await files(), { endpoint: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      kind: 'network',
    });
  });

  test('an answer that makes no sense', async () => {
    rule(/objects\/batch$/, 1, {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '{"objects":[{"oid":"x"}]}',
    });
    await expect(upload(await files())).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/^acme\/tiny-GGUF: the hub's answer makes no sense/),
    });
  });
});

test('the token goes to the hub and not to the store of large files', async () => {
  await upload(await files());
  expect(lines(/^PUT /).every(({ authorization }) => authorization === undefined)).toBe(true);
  expect(lines(/^POST /).every(({ authorization }) => authorization === `Bearer ${WRITE_TOKEN}`)).toBe(true);
});

describe('bitmill upload', () => {
  const entry = (name: string) => ({ name, bytes: CONTENTS[name].length, sha256: sha256(CONTENTS[name]) });
  const set = {
    version: 1,
    bitmill: '0.1.0',
    model: {
      name: 'tiny',
      source: 'acme/tiny',
      architecture: 'llama',
      parameters: 1,
      layers: 1,
      contextLength: 1,
      vocabulary: 1,
      languages: [],
      tags: [],
      dtype: 'f16',
      files: [entry('tiny-Q8_0.gguf')],
      bytes: 1,
      bitsPerWeight: 8,
    },
    inputs: [],
    imatrix: { file: entry('imatrix.gguf'), chunks: 1, contextSize: 1, tokens: 1, parseSpecial: false },
    recipes: 'llama.cpp',
    effort: 'normal',
    quants: [{ type: 'Q4_0', files: [entry('tiny-Q4_0.gguf')], bytes: 1, bitsPerWeight: 4 }],
    commands: [],
    steps: [],
  };

  async function makeSet(): Promise<void> {
    await files();
    await write('bitmill.json', JSON.stringify(set));
    await write('manifest.json', '{}');
    await write('notes.txt', 'not named');
    await write('tiny-Q2_K.gguf.partial', 'half');
    await write('.bitmill/state.json', '{}');
    await write('.bitmill.lock', '1 host\n');
  }

  async function run(args: readonly string[], token: string | undefined = WRITE_TOKEN) {
    const { HF_TOKEN: _, HF_TOKEN_PATH: __, ...rest } = process.env;
    const env = {
      ...rest,
      HF_ENDPOINT: hub.endpoint,
      HF_HOME: path.join(folder, '.home'),
      ...(token ? { HF_TOKEN: token } : {}),
    };
    const child = spawn(process.execPath, [BIN, 'upload', folder, REPOSITORY, ...args], { env });
    const out = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (text) => {
        out[stream] += text;
      });
    }
    const code = await new Promise((resolve) => child.on('close', resolve));
    return { code, ...out };
  }

  const OF_THE_SET = [
    'README.md',
    'bitmill.json',
    'images/loss.svg',
    'imatrix.gguf',
    'manifest.json',
    'tiny-Q4_0.gguf',
    'tiny-Q8_0.gguf',
  ];

  test('sends of a set exactly what it names, the card, its images and the manifests', async () => {
    await makeSet();
    const { code, stdout, stderr } = await run([]);
    expect(stderr).toMatch(/7 files \(.*\) sent to acme\/tiny-GGUF@main, which was made/);
    expect(code).toBe(0);
    expect(stdout).toBe(`${hub.endpoint}/${REPOSITORY}\n`);
    expect(hub.commits[0].names).toEqual(OF_THE_SET);
    const again = await run(['--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({
      repository: REPOSITORY,
      created: false,
      sent: [],
      bytes: 0,
      commits: [],
      pull_request: null,
      dry_run: false,
    });
    expect(
      JSON.parse(again.stdout)
        .skipped.map(({ name }: { name: string }) => name)
        .sort(),
    ).toEqual(OF_THE_SET);
  });

  test('refuses a set whose file is missing, of another size, or of other bytes; --no-verify sends it', async () => {
    await makeSet();
    const other = CONTENTS['tiny-Q8_0.gguf'].map((byte) => byte ^ 1);
    await write('tiny-Q8_0.gguf', other);
    const changed = await run([]);
    expect(changed.code).toBe(6);
    expect(changed.stderr).toContain(
      `tiny-Q8_0.gguf: SHA-256 ${sha256(other)}, bitmill.json says ${entry('tiny-Q8_0.gguf').sha256}`,
    );
    expect((await run(['--no-verify'])).code).toBe(0);
    await write('tiny-Q8_0.gguf', other.subarray(1));
    const shorter = await run([]);
    expect(shorter.code).toBe(6);
    expect(shorter.stderr).toContain('tiny-Q8_0.gguf: size 49999 bytes, bitmill.json says 50000');
    await rm(path.join(folder, 'tiny-Q8_0.gguf'));
    const missing = await run(['--no-verify']);
    expect(missing.code).toBe(6);
    expect(missing.stderr).toContain('tiny-Q8_0.gguf: is missing; bitmill.json names it with 50000 bytes');
    const without = await run(['--exclude', '*Q8_0.gguf']);
    expect(without.code).toBe(0);
    expect(without.stderr).toContain('warning: README.md speaks of tiny-Q8_0.gguf, which is left out');
  });

  test('sends of any other folder all but hidden and unfinished files, as patterns say', async () => {
    await files();
    await write('.cache/x', 'hidden');
    await write('tiny-Q2_K.gguf.partial', 'half');
    await write('x.imatrix.partial.gguf', 'half');
    const dry = await run([
      '--dry-run',
      '--json',
      '--include',
      '*.gguf',
      '--include',
      'images/**',
      '--exclude',
      'imatrix*',
    ]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ dry_run: true, created: true });
    expect(JSON.parse(dry.stdout).sent.map(({ name }: { name: string }) => name)).toEqual([
      'images/loss.svg',
      'tiny-Q4_0.gguf',
      'tiny-Q8_0.gguf',
    ]);
    expect(hub.repositories.size).toBe(0);
    expect((await run([])).code).toBe(0);
    expect(hub.commits[0].names).toEqual([...NAMES].sort());
  });

  test('reads the token from the file of the hub, and says what to do where there is none', async () => {
    await files();
    const none = await run([], '');
    expect([none.code, none.stderr]).toEqual([
      4,
      expect.stringContaining('Set HF_TOKEN to a token with the right to write'),
    ]);
    await write('.home/token', `${WRITE_TOKEN}\n`);
    expect((await run([], '')).code).toBe(0);
  });

  test('names a bitmill.json that is none', async () => {
    await files();
    await write('bitmill.json', '{"version": 2}');
    const { code, stderr } = await run([]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/bitmill.json: version: /);
  });
});
