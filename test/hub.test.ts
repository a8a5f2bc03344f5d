/** The hub client against a local server that speaks the hub's endpoints. */
import { type ChildProcess, spawn } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentProgress } from '../src/core/index.ts';
import { openCheckpoint } from '../src/hf/index.ts';
import { type ResolveOptions, resolveModel } from '../src/platform/index.ts';
import { countingSafetensors } from './checkpoints.ts';
import { COMMIT, gitSha1, type HubServer, startHub } from './hub-server.ts';

const REPOSITORY = 'acme/tiny';
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const shard = (name: string) => countingSafetensors([{ name, dtype: 'U8', shape: [200_000] }]);
const FILES = new Map<string, Uint8Array>([
  ['config.json', text({ model_type: 'llama' })],
  [
    'tokenizer.json',
    text({ model: { vocab: Object.fromEntries([...Array(500).keys()].map((i) => [`t${i}`, i])) } }),
  ],
  ['README.md', new Uint8Array(0)],
  [
    'model.safetensors.index.json',
    text({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }),
  ],
  ['model-1.safetensors', shard('a')],
  ['model-2.safetensors', shard('b')],
  ['consolidated.safetensors', shard('c')],
  ['pytorch_model.bin', new Uint8Array(5000)],
]);
const RECEIVED = [
  'README.md',
  'config.json',
  'model-1.safetensors',
  'model-2.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
];
const LARGE = shard('a').length;

let hub: HubServer;
let cache = '';
const storage = () => path.join(cache, 'models--acme--tiny');
const snapshot = () => path.join(storage(), 'snapshots', COMMIT);
const incomplete = async () =>
  (await readdir(path.join(storage(), 'blobs'))).filter((name) => name.endsWith('.incomplete'));

/** The file in the snapshot has these bytes (compared as a whole: a diff of 200,000 lines helps nobody). */
async function expectFile(name: string, bytes: Uint8Array | undefined): Promise<void> {
  expect((await readFile(path.join(snapshot(), name))).equals(bytes ?? new Uint8Array(0))).toBe(true);
}

function pull(options: ResolveOptions = {}, name = REPOSITORY) {
  const { endpoint } = hub;
  const ours = { endpoint, cacheFolder: cache, token: undefined, offline: false, retries: 2, retryMs: 5 };
  return resolveModel(name, { ...ours, ...options });
}

beforeEach(async () => {
  hub = await startHub(REPOSITORY, FILES);
  cache = await mkdtemp(path.join(os.tmpdir(), 'bitmill-hub-'));
});
afterEach(async () => {
  await hub.close();
  await rm(cache, { recursive: true, force: true });
});

describe('a repository', () => {
  test('comes into the cache layout of huggingface_hub: blobs by checksum, links, a ref', async () => {
    const model = await pull();
    expect(model.folder).toBe(snapshot());
    expect(model.origin).toEqual({ repository: REPOSITORY, revision: 'main', commit: COMMIT });
    expect(await readdir(snapshot())).toEqual(RECEIVED);
    for (const name of RECEIVED) {
      await expectFile(name, FILES.get(name));
    }
    const config = path.join(snapshot(), 'config.json');
    expect((await lstat(config)).isSymbolicLink()).toBe(true);
    expect(await readlink(config)).toBe(`../../blobs/${gitSha1(FILES.get('config.json') as Uint8Array)}`);
    expect(await readFile(path.join(storage(), 'refs', 'main'), 'utf8')).toBe(COMMIT);
    expect(await incomplete()).toEqual([]);
  });

  test('opens as a checkpoint', async () => {
    const checkpoint = await openCheckpoint((await pull()).files);
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect([...(await checkpoint.read('b', 255, 3))]).toEqual([255, 0, 1]);
    await checkpoint.close();
  });

  test('is not received twice', async () => {
    const first = await pull();
    const before = hub.requests.length;
    const second = await pull();
    expect(first.received).toBe(RECEIVED.reduce((sum, name) => sum + (FILES.get(name)?.length ?? 0), 0));
    expect(second.received).toBe(0);
    expect(hub.requests.slice(before).filter(({ url }) => url.includes('/resolve/'))).toEqual([]);
  });

  test('can be asked for by branch, tag or commit, with @ or the option', async () => {
    expect((await pull({}, `${REPOSITORY}@v1`)).origin?.revision).toBe('v1');
    expect((await pull({ revision: 'refs/pr/1' })).origin?.revision).toBe('refs/pr/1');
    expect((await pull({ revision: COMMIT })).folder).toBe(snapshot());
    expect(await readFile(path.join(storage(), 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(COMMIT);
    expect(await readdir(path.join(storage(), 'refs'))).toEqual(['refs', 'v1']);
  });

  test('reports its progress in bytes, up to all of them', async () => {
    let total = 0;
    let last = 0;
    const progress = {
      ...silentProgress,
      start: (_label: string, amount: number) => {
        total = amount;
      },
      update: (done: number) => {
        last = done;
      },
    };
    await pull({ progress });
    expect(last).toBe(total);
    expect(total).toBeGreaterThan(2 * LARGE);
  });
});

describe('the token', () => {
  test('goes to the hub with every request, and not to the origin that it redirects to', async () => {
    await pull({ token: 'hf_secret' });
    const sent = (cdn: boolean) =>
      new Set(
        hub.requests.filter((request) => request.cdn === cdn).map(({ authorization }) => authorization),
      );
    expect([...sent(false)]).toEqual(['Bearer hf_secret']);
    expect([...sent(true)]).toEqual([undefined]);
  });

  test('is not sent where there is none', async () => {
    await pull();
    expect(hub.requests.every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});

describe('interruptions', () => {
  test('a connection that is cut is continued with a Range request in the same run', async () => {
    hub.faults.cut = { after: 50_000, times: 1 };
    await pull();
    const ranges = hub.requests.filter(({ cdn }) => cdn).map(({ range }) => range);
    expect(ranges).toContain(`bytes=50000-${LARGE - 1}`);
    expect(ranges.length).toBe(4); // tokenizer.json, two shards, one continued
  });

  test('a run that gave up is continued by the next one', async () => {
    hub.faults.cut = { after: 60_000, times: 1000 };
    await expect(pull({ retries: 0 })).rejects.toMatchObject({
      kind: 'network',
      hint: expect.stringMatching(/continues/),
    });
    const begun = (await incomplete()).length; // one or two: after the first failure no other file is started
    expect(begun).toBeGreaterThan(0);
    hub.faults.cut.times = 0;
    const before = hub.requests.length;
    const model = await pull();
    const ranges = hub.requests.slice(before).map(({ range }) => range);
    // Each at the hub, then where it redirects to.
    expect(ranges.filter((range) => range === `bytes=60000-${LARGE - 1}`).length).toBe(2 * begun);
    expect(model.received).toBeLessThan(2 * LARGE - begun * 60_000 + 10_000);
    await expectFile('model-2.safetensors', shard('b'));
  });

  test('cuts that each bring some bytes are forgiven without end', async () => {
    hub.faults.cut = { after: 30_000, times: 12 };
    await pull({ retries: 1 });
    await expectFile('model-1.safetensors', shard('a'));
  });

  test('a server that ignores Range starts over', async () => {
    hub.faults.cut = { after: 60_000, times: 2 };
    hub.faults.ignoreRange = true;
    await pull();
    await expectFile('model-1.safetensors', shard('a'));
  });

  test('silence counts as lost', async () => {
    hub.faults.silent = true;
    await expect(pull({ stallMs: 100, retries: 1 })).rejects.toThrow(/no byte for 0.1 s/);
  });

  test('a hub that takes the question and never answers counts as lost', async () => {
    hub.faults.deaf = true;
    await expect(pull({ stallMs: 100, retries: 1 })).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/no connection to the hub: .*timeout/),
    });
  });

  test('passing refusals (503, 429) are tried again', async () => {
    hub.faults.passing = { status: 503, times: 2 };
    await pull();
    hub.faults.passing = { status: 429, times: 3 };
    await expect(pull()).rejects.toMatchObject({ kind: 'network', message: expect.stringMatching(/429/) });
  });

  test('a process that is killed in the middle is continued by the next', async () => {
    hub.faults.slow = 2000;
    const bitmill = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
    const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_HOME: cache };
    const child: ChildProcess = spawn(process.execPath, [bitmill, 'pull', REPOSITORY], {
      env,
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    const blobs = path.join(storage(), 'blobs');
    for (let size = 0; size < 20_000 && child.exitCode === null; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      const partial = (await readdir(blobs).catch(() => [])).find((name) => name.endsWith('.incomplete'));
      size = partial
        ? await stat(path.join(blobs, partial)).then(
            (info) => info.size,
            () => 0,
          )
        : 0;
    }
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    delete hub.faults.slow;
    const before = hub.requests.length;
    await pull();
    const ranges = hub.requests.slice(before).map(({ range }) => range);
    expect(ranges.some((range) => /^bytes=[1-9]\d{3,}-/.test(range ?? ''))).toBe(true);
    await expectFile('model-1.safetensors', shard('a'));
  });
});

describe('Retry-After', () => {
  test('of 429 and 503 is waited for: seconds, or a date', async () => {
    for (const [status, after] of [
      [429, '1'],
      [503, new Date(Date.now() + 3000).toUTCString()],
    ] as const) {
      hub.faults.passing = { status, times: 1, after };
      const started = Date.now();
      await pull({ cacheFolder: path.join(cache, String(status)) });
      // A date has whole seconds, so up to one of the three is lost.
      expect(Date.now() - started).toBeGreaterThan(990);
    }
  });

  test('of more than the bound ends the work, and is told', async () => {
    hub.faults.passing = { status: 429, times: 1, after: '301' };
    await expect(pull()).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/answers 429 \(Busy\) and asks to wait 301 s$/),
    });
  });
});

describe('wrong bytes', () => {
  for (const name of ['model-2.safetensors', 'config.json']) {
    test(`in ${name} are detected and removed`, async () => {
      hub.faults.corrupt = name;
      await expect(pull()).rejects.toMatchObject({
        kind: 'network',
        message: expect.stringMatching(/tiny\/.*: the bytes received do not have the (sha256|git-sha1)/),
      });
      expect(await incomplete()).toEqual([]);
      delete hub.faults.corrupt;
      await pull();
      await expectFile(name, FILES.get(name));
    });
  }

  test('left by an earlier run are detected, and a part that is too long is dropped', async () => {
    const [first, second] = await (async () => {
      await pull();
      return Promise.all(
        ['model-1', 'model-2'].map((name) => readlink(path.join(snapshot(), `${name}.safetensors`))),
      );
    })();
    await rm(snapshot(), { recursive: true });
    const blob = (link: string) => path.join(storage(), 'blobs', path.basename(link));
    await rm(blob(first));
    await rm(blob(second));
    await writeFile(`${blob(first)}.incomplete`, new Uint8Array(LARGE + 1));
    await writeFile(`${blob(second)}.incomplete`, new Uint8Array(100));
    await expect(pull()).rejects.toThrow(/model-2.safetensors: the bytes received do not have the sha256/);
    await pull();
    await expectFile('model-1.safetensors', shard('a'));
    await expectFile('model-2.safetensors', shard('b'));
  });
});

describe('refusals', () => {
  test('a gated repository says what to do', async () => {
    hub.faults.refuse = { status: 403, code: 'GatedRepo' };
    await expect(pull()).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/acme\/tiny@main: 127.0.0.1:\d+ answers 403 \(GatedRepo\)/),
      hint: expect.stringMatching(/accept its terms.*set HF_TOKEN/),
    });
    hub.faults.refuse = { status: 401, code: 'RepoNotFound' };
    await expect(pull({ token: 'hf_x' })).rejects.toMatchObject({
      hint: expect.stringMatching(/account of your token/),
    });
  });

  test('no such repository, no such revision', async () => {
    await expect(pull({}, 'acme/none')).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/404/),
    });
    await expect(pull({ revision: 'nope' })).rejects.toThrow(/acme\/tiny@nope: .* 404 \(RevisionNotFound\)/);
  });

  test('nobody listens', async () => {
    const error = pull({ endpoint: 'http://127.0.0.1:1' });
    await expect(error).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/no connection to the hub/),
    });
  });

  test('names that lead out of the folder in the listing', async () => {
    for (const name of ['../evil.safetensors', '/etc/passwd', '..', 'a/b.json', '..\\evil.json', '']) {
      hub.faults.extraEntries = [{ type: 'file', path: name, size: 1, oid: 'a'.repeat(40) }];
      await expect(pull()).rejects.toMatchObject({
        kind: 'network',
        message: expect.stringMatching(/not a file name/),
      });
    }
    expect(await readdir(cache)).toEqual([]);
  });

  test('checksums that lead out of the folder, and other nonsense in the listing', async () => {
    for (const entry of [
      { type: 'file', path: 'x.json', size: 1, oid: '../../../evil' },
      { type: 'file', path: 'x.json', size: 1, oid: 'abc' },
      { type: 'file', path: 'x.json', size: -1, oid: 'a'.repeat(40) },
      { type: 'file', path: 'x.json', size: 1, oid: 'a'.repeat(40), lfs: { oid: 'a'.repeat(40), size: 1 } },
      { type: 'file', path: 5 },
      null,
    ]) {
      hub.faults.extraEntries = [entry];
      await expect(pull()).rejects.toMatchObject({ kind: 'network' });
    }
    hub.faults.extraEntries = [];
    hub.faults.commit = '../../evil';
    await expect(pull()).rejects.toThrow(/gives "..\/..\/evil" as commit/);
    expect(await readdir(cache)).toEqual([]);
  });

  test('a file that the disk has no room for, before anything large is received', async () => {
    const lfs = { oid: 'a'.repeat(64), size: 2 ** 52, pointerSize: 130 };
    hub.faults.extraEntries = [{ type: 'file', path: 'LICENSE', size: 130, oid: 'a'.repeat(40), lfs }];
    await expect(pull()).rejects.toMatchObject({
      kind: 'resources',
      message: expect.stringMatching(/acme\/tiny: \d+ bytes to receive, \d+ bytes free in/),
    });
    expect(hub.requests.filter(({ cdn }) => cdn)).toEqual([]);
  });

  test('a list of files that never ends', async () => {
    hub.faults.endless = true;
    await expect(pull()).rejects.toThrow(/list of files does not end/);
  });

  test('names that are neither a folder nor a repository', async () => {
    for (const name of ['nope', 'a/b/c', '../x/y', 'a/..', '/none', 'a--b/c', 'a/b@../../x', 'a/b@-x']) {
      await expect(pull({}, name)).rejects.toMatchObject({ kind: 'input' });
    }
    expect(hub.requests).toEqual([]);
  });
});

test('a repository with pickles alone is refused before anything large is received', async () => {
  const pickles = await startHub(
    REPOSITORY,
    new Map([...FILES].filter(([name]) => !name.includes('safetensors'))),
  );
  try {
    await expect(pull({ endpoint: pickles.endpoint })).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(/Python pickles \("pytorch_model.bin"\), which can run code on loading/),
    });
    expect(pickles.requests.filter(({ url }) => url.includes('/resolve/'))).toEqual([]);
  } finally {
    await pickles.close();
  }
});

describe('offline', () => {
  test('what was pulled is found, with no request at all', async () => {
    await pull();
    const before = hub.requests.length;
    const model = await pull({ offline: true });
    expect(model.folder).toBe(snapshot());
    expect((await pull({ offline: true, revision: COMMIT })).folder).toBe(snapshot());
    expect(hub.requests.length).toBe(before);
  });

  test('what was not pulled is one clear error', async () => {
    await expect(pull({ offline: true })).rejects.toMatchObject({
      kind: 'network',
      message: expect.stringMatching(/acme\/tiny@main: not in the cache .*, and offline/),
      hint: expect.stringMatching(/HF_HUB_OFFLINE/),
    });
  });

  test('a hub that cannot be reached leaves the copy in the cache, with a warning', async () => {
    await pull();
    const warnings: string[] = [];
    const progress = { ...silentProgress, warn: (message: string) => void warnings.push(message) };
    const model = await pull({ endpoint: 'http://127.0.0.1:1', progress });
    expect(model.folder).toBe(snapshot());
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toMatch(/using the copy in the cache/);
  });
});

test('an existing folder is used as it is', async () => {
  const folder = path.join(cache, 'here');
  await mkdir(folder);
  const model = await pull({}, folder);
  expect(model.folder).toBe(folder);
  expect(model.origin).toBe(undefined);
  expect(hub.requests).toEqual([]);
});

test('bitmill pull --json prints what came and where it is', async () => {
  const bitmill = fileURLToPath(new URL('../bin/bitmill.mjs', import.meta.url));
  await mkdir(path.join(cache, 'home'));
  await writeFile(path.join(cache, 'home', 'token'), 'hf_from_file\n');
  const { HF_TOKEN: _, HF_HUB_CACHE: __, ...rest } = process.env;
  const env = { ...rest, HF_ENDPOINT: `${hub.endpoint}/`, HF_HOME: path.join(cache, 'home') };
  const child = spawn(process.execPath, [bitmill, 'pull', REPOSITORY, '--json'], { env });
  let out = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
  const printed = JSON.parse(out);
  expect(printed).toMatchObject({ repository: REPOSITORY, revision: 'main', commit: COMMIT });
  expect(printed.folder).toBe(path.join(cache, 'home', 'hub', 'models--acme--tiny', 'snapshots', COMMIT));
  expect(printed.files.map(({ name }: { name: string }) => name)).toEqual(RECEIVED);
  expect(printed.received).toBe(printed.bytes);
  expect(hub.requests[0].authorization).toBe('Bearer hf_from_file');
});
