/** GGUF files of repositories, and the cache that they are in: received, listed, removed, as huggingface_hub has it. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../src/cli/main.ts';
import { silentProgress } from '../src/core/index.ts';
import {
  bytesOnDisk,
  cachedModels,
  chooseGguf,
  modelPath,
  parseGgufName,
  planRemoval,
  remove,
  resolveGguf,
} from '../src/platform/index.ts';
import { COMMIT, type HubServer, startHub } from './hub-server.ts';

const REPOSITORY = 'acme/tiny-GGUF';
const OTHER = 'fedcba9876543210fedcba9876543210fedcba98';
const bytes = (value: number, length: number) => new Uint8Array(length).fill(value);
const FILES = new Map<string, Uint8Array>([
  ['README.md', bytes(1, 10)],
  ['tiny-Q4_K_M.gguf', bytes(2, 4000)],
  ['tiny-Q8_0.gguf', bytes(3, 8000)],
  ['mmproj-tiny-F16.gguf', bytes(4, 500)],
  ['BF16/tiny-BF16-00001-of-00002.gguf', bytes(5, 3000)],
  ['BF16/tiny-BF16-00002-of-00002.gguf', bytes(6, 2000)],
]);

let hub: HubServer;
let home = '';
const folders = () => ({ hub: path.join(home, 'hub'), own: path.join(home, 'own') });
const storage = () => path.join(home, 'hub', 'models--acme--tiny-GGUF');
const blobs = async () => (await readdir(path.join(storage(), 'blobs')).catch(() => [])).length;

function pull(name = REPOSITORY, options: object = {}) {
  const settings = { endpoint: hub.endpoint, token: undefined, offline: false, retries: 0, retryMs: 5 };
  return resolveGguf(name, { ...settings, cacheFolder: folders().hub, ...options });
}

beforeEach(async () => {
  hub = await startHub(REPOSITORY, FILES);
  home = await mkdtemp(path.join(os.tmpdir(), 'bitmill-cache-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
  await rm(home, { recursive: true, force: true });
});

/** Runs a command in this process, on this test's caches and hub. */
async function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  vi.stubEnv('HF_HUB_CACHE', folders().hub);
  vi.stubEnv('BITMILL_CACHE', folders().own);
  vi.stubEnv('HF_ENDPOINT', hub.endpoint);
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  process.exitCode = 0;
  try {
    await main(['node', 'bitmill', ...args]);
    return { code: process.exitCode, ...said };
  } finally {
    process.exitCode = 0;
    for (const spy of spies) spy.mockRestore();
  }
}

describe('the choice of a file', () => {
  const names = [...FILES.keys()];

  test('a type, in a name or as a folder, with all shards; a file by its name', () => {
    expect(chooseGguf(names, 'Q8_0')).toEqual(['tiny-Q8_0.gguf']);
    expect(chooseGguf(names, 'q8_0')).toEqual(['tiny-Q8_0.gguf']);
    const shards = ['BF16/tiny-BF16-00001-of-00002.gguf', 'BF16/tiny-BF16-00002-of-00002.gguf'];
    expect(chooseGguf(names, 'BF16')).toEqual(shards);
    expect(chooseGguf(names, shards[1])).toEqual(shards);
    expect(chooseGguf(names.slice(0, -1), 'BF16')).toBeUndefined();
    expect(chooseGguf(names, 'Q5_K_M')).toBeUndefined();
    expect(chooseGguf(names, '0')).toBeUndefined();
  });

  test('without a type Q4_K_M comes first, then what is nearest, never a part for pictures', () => {
    expect(chooseGguf(names)).toEqual(['tiny-Q4_K_M.gguf']);
    expect(chooseGguf(['a-Q2_K.gguf', 'a-Q8_0.gguf'])).toEqual(['a-Q8_0.gguf']);
    expect(chooseGguf(['b.gguf', 'a-Q2_K.gguf'])).toEqual(['b.gguf']);
    expect(chooseGguf(['mmproj-F16.gguf'])).toBeUndefined();
  });

  test('names have a repository, perhaps a revision, perhaps a file', () => {
    expect(parseGgufName('a/b')).toEqual({ repository: 'a/b' });
    expect(parseGgufName('a/b@v1:Q8_0')).toEqual({ repository: 'a/b', revision: 'v1', file: 'Q8_0' });
    expect(parseGgufName('a/b:')).toBeUndefined();
    expect(parseGgufName('a/b/c')).toBeUndefined();
    expect(parseGgufName('../b')).toBeUndefined();
  });
});

describe('a GGUF of a repository', () => {
  test('is received once; afterwards the cache serves it, and the hub is not asked', async () => {
    const first = await pull(`${REPOSITORY}:Q8_0`);
    expect(first).toMatchObject({ files: ['tiny-Q8_0.gguf'], received: 8000, origin: { commit: COMMIT } });
    expect((await readFile(first.path)).equals(FILES.get('tiny-Q8_0.gguf') as Uint8Array)).toBe(true);
    const before = hub.requests.length;
    expect(await pull(`${REPOSITORY}:Q8_0`)).toMatchObject({ path: first.path, received: 0 });
    expect((await pull(REPOSITORY)).path).toBe(first.path);
    expect(await pull(REPOSITORY, { offline: true })).toMatchObject({ received: 0 });
    expect(hub.requests.length).toBe(before);
    expect((await pull(REPOSITORY, { fresh: true })).files).toEqual(['tiny-Q4_K_M.gguf']);
  });

  test('in shards in a folder comes whole', async () => {
    const model = await pull(REPOSITORY, { file: 'BF16' });
    expect(model.received).toBe(5000);
    expect(path.relative(storage(), model.path)).toBe(
      path.join('snapshots', COMMIT, 'BF16', 'tiny-BF16-00001-of-00002.gguf'),
    );
    expect(existsSync(model.path.replace('00001-of', '00002-of'))).toBe(true);
  });

  test('that is not there is an error which lists those that are', async () => {
    await expect(pull(`${REPOSITORY}:IQ1_S`)).rejects.toMatchObject({
      kind: 'input',
      message: `${REPOSITORY}@main: has no GGUF model IQ1_S`,
      hint: expect.stringContaining('tiny-Q4_K_M.gguf'),
    });
    await expect(pull(REPOSITORY, { offline: true })).rejects.toMatchObject({ kind: 'network' });
    hub.faults.refuse = { status: 404, code: 'RepoNotFound' };
    await expect(pull()).rejects.toMatchObject({ kind: 'network', status: 404 });
  });

  test('is what modelPath gives for a name, and dtype chooses it', async () => {
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    const told: unknown[] = [];
    const options = {
      cache_dir: folders().hub,
      dtype: 'q8',
      progress_callback: (info: unknown) => told.push(info),
    };
    expect(path.basename(await modelPath(REPOSITORY, options))).toBe('tiny-Q8_0.gguf');
    expect(told).toContainEqual(
      expect.objectContaining({
        status: 'progress',
        name: REPOSITORY,
        loaded: 8000,
        total: 8000,
        progress: 100,
      }),
    );
    await expect(modelPath(REPOSITORY, { dtype: 'q3' })).rejects.toThrow('dtype: q3 is no type');
    await expect(modelPath('some.gguf', { dtype: 'q8' })).rejects.toThrow('some.gguf is one file');
    expect(await modelPath('some/file.gguf', { progress: silentProgress })).toBe('some/file.gguf');
  });

  test('comes with pull, and a command that is given the repository says what is wrong with the file', async () => {
    expect(await run('pull', `${REPOSITORY}:Q8_0`, '--json')).toMatchObject({ code: 0 });
    expect(await run('pull', REPOSITORY)).toMatchObject({ code: 0, stdout: /tiny-Q4_K_M\.gguf\n$/ });
    const { code, stderr } = await run('inspect', `${REPOSITORY}:Q8_0`);
    expect({ code, stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('it is no GGUF file'),
    });
  });
});

/** A second revision, which shares a blob with the first and has one of its own. */
async function addRevision(): Promise<void> {
  const folder = path.join(storage(), 'snapshots', OTHER);
  await mkdir(folder, { recursive: true });
  const snapshot = path.join(storage(), 'snapshots', COMMIT);
  const shared = path.relative(folder, await realpath(path.join(snapshot, 'tiny-Q8_0.gguf')));
  await symlink(shared, path.join(folder, 'tiny-Q8_0.gguf'));
  await writeFile(path.join(storage(), 'blobs', 'abc'), bytes(9, 100));
  await symlink('../../blobs/abc', path.join(folder, 'new-Q4_0.gguf'));
  await writeFile(path.join(storage(), 'refs', 'v2'), OTHER);
}

describe('the list', () => {
  test('has every revision with its refs and files; what they share counts once', async () => {
    await pull(`${REPOSITORY}:Q8_0`);
    await pull(REPOSITORY, { fresh: true });
    await addRevision();
    await mkdir(path.join(folders().hub, 'datasets--acme--words'), { recursive: true });
    await mkdir(path.join(folders().own, 'phi3-tiny', 'abc-0.1.0'), { recursive: true });
    await writeFile(path.join(folders().own, 'phi3-tiny', 'abc-0.1.0', 'phi3-tiny-Q8_0.gguf'), bytes(1, 7));
    const models = await cachedModels(folders());
    expect(models.map(({ name, kind }) => [name, kind])).toEqual([
      [REPOSITORY, 'repository'],
      ['phi3-tiny', 'embedded'],
    ]);
    const [first, second] = models[0].revisions;
    expect([first.name, first.refs, first.files.map(({ name }) => name)]).toEqual([
      COMMIT,
      ['main'],
      ['tiny-Q4_K_M.gguf', 'tiny-Q8_0.gguf'],
    ]);
    expect([second.name, second.refs]).toEqual([OTHER, ['v2']]);
    expect(bytesOnDisk([...first.files, ...second.files])).toBe(12_100);

    const { stdout } = await run('list', '--json');
    const listed = JSON.parse(stdout);
    expect(listed.bytes).toBe(12_107);
    expect(listed.models[0].revisions[1].files).toEqual([
      { name: 'new-Q4_0.gguf', bytes: 100, missing: false },
      { name: 'tiny-Q8_0.gguf', bytes: 8000, missing: false },
    ]);
    const text = (await run('list')).stdout;
    expect(text).toMatch(
      /acme\/tiny-GGUF +main +11\.7 KiB +\d{4}-\d\d-\d\d +tiny-Q4_K_M\.gguf, tiny-Q8_0\.gguf\n/,
    );
    expect(text).toMatch(/11\.8 KiB in all\n$/);
  });

  test('of nothing says how to come to a model', async () => {
    expect((await run('list')).stdout).toContain('bitmill pull');
  });
});

describe('removing', () => {
  beforeEach(async () => {
    await pull(`${REPOSITORY}:Q8_0`);
    await pull(REPOSITORY, { fresh: true });
  });
  const take = async (name: string) => {
    const removal = await planRemoval(name, folders());
    await remove(removal);
    return removal;
  };

  test('a file goes with its blob, and the rest stays', async () => {
    const { names, freed } = await take(`${REPOSITORY}:Q4_K_M`);
    expect({ names, freed }).toEqual({ names: ['tiny-Q4_K_M.gguf'], freed: 4000 });
    expect(await readdir(path.join(storage(), 'snapshots', COMMIT))).toEqual(['tiny-Q8_0.gguf']);
    expect(await blobs()).toBe(1);
    expect(existsSync(path.join(storage(), 'refs', 'main'))).toBe(true);
  });

  test('a revision goes with its refs; blobs that another one links to stay', async () => {
    await addRevision();
    const { freed } = await take(`${REPOSITORY}@main`);
    expect(freed).toBe(4000);
    expect(await readdir(path.join(storage(), 'snapshots'))).toEqual([OTHER]);
    expect(await readdir(path.join(storage(), 'refs'))).toEqual(['v2']);
    expect(await blobs()).toBe(2);
    expect((await take(`${REPOSITORY}@${OTHER.slice(0, 8)}`)).freed).toBe(8100 + OTHER.length);
    expect(await readdir(folders().hub)).toEqual([]);
  });

  test('a repository goes whole, with what an unfinished download left', async () => {
    await writeFile(path.join(storage(), 'blobs', 'x.incomplete'), bytes(1, 50));
    const { freed } = await take(REPOSITORY);
    expect(freed).toBe(12_000 + 50 + COMMIT.length);
    expect(await cachedModels(folders())).toEqual([]);
  });

  test('what a link leads to outside of the cache stays', async () => {
    const outside = path.join(home, 'precious.gguf');
    await writeFile(outside, bytes(7, 30));
    await symlink(outside, path.join(storage(), 'snapshots', COMMIT, 'tiny-F16.gguf'));
    expect((await take(`${REPOSITORY}:F16`)).freed).toBe(0);
    expect(existsSync(outside)).toBe(true);
    expect(existsSync(path.join(storage(), 'snapshots', COMMIT, 'tiny-F16.gguf'))).toBe(false);
  });

  test('names that lead elsewhere, or to nothing, are refused', async () => {
    await symlink(home, path.join(folders().hub, 'models--acme--linked'));
    await expect(planRemoval('acme/linked', folders())).rejects.toThrow('acme/linked: not in the cache');
    await expect(planRemoval('../..', folders())).rejects.toMatchObject({ kind: 'usage' });
    await expect(planRemoval('/etc/passwd', folders())).rejects.toMatchObject({ kind: 'usage' });
    await expect(planRemoval(`${REPOSITORY}:../../../x`, folders())).rejects.toMatchObject({
      message: `${REPOSITORY}:../../../x: not in the cache`,
      hint: 'there are: tiny-Q4_K_M.gguf, tiny-Q8_0.gguf',
    });
    await expect(planRemoval(`${REPOSITORY}@v9`, folders())).rejects.toThrow('@v9: not in the cache');
  });

  test('the command asks; without a terminal it needs --yes, and --dry-run removes nothing', async () => {
    expect(await run('rm', REPOSITORY)).toMatchObject({ code: 2 });
    const dry = await run('rm', `${REPOSITORY}:Q8_0`, '--dry-run');
    expect(dry.stdout).toContain('would remove acme/tiny-GGUF');
    expect(await blobs()).toBe(2);
    const done = await run('rm', `${REPOSITORY}:Q8_0`, '--yes', '--json');
    expect(JSON.parse(done.stdout)).toMatchObject({ removed: true, files: ['tiny-Q8_0.gguf'], bytes: 8000 });
    expect(await blobs()).toBe(1);
  });
});

/** A Python that has huggingface_hub, for its own view of the same cache. */
const PYTHON = process.env['BITMILL_TEST_PYTHON'] ?? 'python3';
const hasPeer = spawnSync(PYTHON, ['-c', 'import huggingface_hub']).status === 0;
if (!hasPeer) console.warn(`huggingface_hub tests skipped: ${PYTHON} has none (set BITMILL_TEST_PYTHON)`);

describe.skipIf(!hasPeer)('huggingface_hub', () => {
  const ask = async (code: string): Promise<unknown> => {
    const env = {
      ...process.env,
      HF_HUB_CACHE: folders().hub,
      HF_ENDPOINT: hub.endpoint,
      HF_HUB_DISABLE_XET: '1',
    };
    const child = spawn(PYTHON, ['-c', code], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    for await (const piece of child.stdout) out += piece;
    return JSON.parse(out);
  };

  test('sees our cache as we do', async () => {
    await pull(`${REPOSITORY}:BF16`);
    await pull(`${REPOSITORY}:Q8_0`);
    const seen = await ask(
      'import json, huggingface_hub as h\n' +
        'c = h.scan_cache_dir()\n' +
        'print(json.dumps([[r.repo_id, r.size_on_disk, [[v.commit_hash, sorted(v.refs), len(v.files)] for v in r.revisions]] for r in c.repos] + [len(c.warnings)]))',
    );
    expect(seen).toEqual([[REPOSITORY, 13_000, [[COMMIT, ['main'], 3]]], 0]);
  });

  test('fills a cache that we list, and of which we remove a file', async () => {
    await ask(
      'import json, huggingface_hub as h\n' +
        `print(json.dumps([h.hf_hub_download("${REPOSITORY}", f) for f in ["tiny-Q8_0.gguf", "README.md"]]))`,
    );
    const [{ revisions }] = await cachedModels(folders());
    expect(revisions.map(({ name, refs, files }) => [name, refs, files.map((file) => file.name)])).toEqual([
      [COMMIT, ['main'], ['README.md', 'tiny-Q8_0.gguf']],
    ]);
    expect(await pull(`${REPOSITORY}:Q8_0`, { offline: true })).toMatchObject({ received: 0 });
    const removal = await planRemoval(`${REPOSITORY}:Q8_0`, folders());
    await remove(removal);
    expect(removal.freed).toBe(8000);
    expect(await blobs()).toBe(1);
  });
});
