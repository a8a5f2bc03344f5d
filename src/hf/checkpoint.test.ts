import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countingSafetensors, memoryFiles, rawSafetensors } from '../../test/checkpoints.ts';
import { folderFiles } from '../platform/index.ts';
import { openCheckpoint } from './index.ts';

const u8 = (name: string, size: number) => ({ name, dtype: 'U8' as const, shape: [size] });
const config = { model_type: 'llama' };
const shard1 = countingSafetensors([u8('a', 3), u8('b', 2)]);
const shard2 = countingSafetensors([u8('c', 4)]);
const weightMap = { c: 'model-2.safetensors', a: 'model-1.safetensors', b: 'model-1.safetensors' };
const sharded = {
  'config.json': config,
  'model.safetensors.index.json': { metadata: {}, weight_map: weightMap },
  'model-1.safetensors': shard1,
  'model-2.safetensors': shard2,
};
const open = (files: Record<string, unknown>) => openCheckpoint(memoryFiles(files));
const refuses = async (files: Record<string, unknown>, message: RegExp) => {
  await expect(open(files)).rejects.toMatchObject({ kind: 'input', message: expect.stringMatching(message) });
};

describe('opening', () => {
  test('one file: config, tensors, whole reads and ranges', async () => {
    const checkpoint = await open({ 'config.json': config, 'model.safetensors': shard1 });
    expect(checkpoint.config['model_type']).toBe('llama');
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect(checkpoint.tensors.get('b')).toMatchObject({ dtype: 'U8', shape: [2], bytes: 2 });
    expect([...(await checkpoint.read('b'))]).toEqual([3, 4]);
    expect([...(await checkpoint.read('a', 1))]).toEqual([1, 2]);
    expect([...(await checkpoint.read('a', 1, 1))]).toEqual([1]);
    await checkpoint.close();
  });

  test('shards: the tensors in the order of the shards, each read from its own', async () => {
    const checkpoint = await open(sharded);
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b', 'c']);
    expect([...(await checkpoint.read('c'))]).toEqual([0, 1, 2, 3]);
  });

  test('what is read is memory of its own', async () => {
    const checkpoint = await open({ 'config.json': config, 'model.safetensors': shard1.slice() });
    (await checkpoint.read('a')).fill(99);
    expect([...(await checkpoint.read('a'))]).toEqual([0, 1, 2]);
    expect((await checkpoint.read('a')).buffer.byteLength).toBe(3);
  });

  test('a range outside the tensor and an unknown tensor are input errors', async () => {
    const checkpoint = await open({ 'config.json': config, 'model.safetensors': shard1 });
    await expect(checkpoint.read('a', 2, 2)).rejects.toThrow(/tensor "a"/);
    await expect(checkpoint.read('a', 4)).rejects.toThrow(/cannot read -1 bytes/);
    await expect(checkpoint.read('z')).rejects.toThrow('model: has no tensor "z"');
  });

  test('other files: JSON on null prototypes, text as UTF-8, undefined where absent', async () => {
    const files = { ...sharded, 'tokenizer.json': '{"x":[{"__proto__":{"y":1}}]}', 'README.md': 'Grüße' };
    const checkpoint = await open(files);
    const json = (await checkpoint.json('tokenizer.json')) as { x: object[] };
    expect(Object.getPrototypeOf(json)).toBe(null);
    expect(Object.getPrototypeOf(json.x[0])).toBe(null);
    expect(Object.keys(json.x[0])).toEqual(['__proto__']);
    expect(await checkpoint.text('README.md')).toBe('Grüße');
    expect(await checkpoint.json('generation_config.json')).toBe(undefined);
    expect(await checkpoint.text('chat_template.jinja')).toBe(undefined);
  });

  test('pickles beside safetensors are left alone', async () => {
    const checkpoint = await open({ ...sharded, 'pytorch_model.bin': 'x', 'training_args.bin': 'x' });
    expect(checkpoint.tensors.size).toBe(3);
  });
});

describe('refusals', () => {
  const index = (map: unknown) => ({ ...sharded, 'model.safetensors.index.json': { weight_map: map } });

  test('no config.json', () => refuses({ 'model.safetensors': shard1 }, /model: has no config.json/));
  test('a config.json that is a list', () =>
    refuses({ ...sharded, 'config.json': [] }, /config.json: is not a JSON object but \[\]/));
  test('a config.json that is no JSON', () =>
    refuses({ ...sharded, 'config.json': '{' }, /config.json: is not JSON/));

  test('prototype keys of a config.json reach no other object', async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    const checkpoint = await open({ ...sharded, 'config.json': text });
    expect(Object.keys(checkpoint.config)).toEqual(['__proto__', 'constructor']);
    expect(checkpoint.config['polluted']).toBe(undefined);
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  });

  for (const file of ['pytorch_model.bin', 'model.pt', 'model.pth', 'model.ckpt', 'model.pkl']) {
    test(`${file} is a pickle, which can run code on loading`, () =>
      refuses(
        { 'config.json': config, [file]: 'x' },
        /Python pickles \("[^"]+"\), which can run code on loading/,
      ));
  }
  test('no weights at all', () => refuses({ 'config.json': config }, /has no weights/));
  test('shards without an index', () =>
    refuses({ 'config.json': config, 'model-1.safetensors': shard1 }, /neither model.safetensors nor/));

  for (const name of [
    '../model-1.safetensors',
    '/etc/model.safetensors',
    'a/b.safetensors',
    '..\\b.safetensors',
    'C:b.safetensors',
    'b\u0000.safetensors',
    'pytorch_model.bin',
    '',
    7,
    null,
  ]) {
    test(`a shard called ${JSON.stringify(name)}`, () =>
      refuses(index({ ...weightMap, c: name }), /index.json: tensor "c" is said to be in/));
  }
  test('an index without weight_map', () => refuses(index(undefined), /weight_map: is not a JSON object/));
  test('an empty index', () => refuses(index({}), /names no tensors/));
  test('a tensor twice in the index', () =>
    refuses(
      {
        ...sharded,
        'model.safetensors.index.json': '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}',
      },
      /has a name twice/,
    ));
  test('all missing shards are named at once', () =>
    refuses(
      index({ ...weightMap, d: 'model-3.safetensors', e: 'model-4.safetensors' }),
      /misses 2 of 4 shards: "model-3.safetensors", "model-4.safetensors"/,
    ));
  test('a tensor that no shard holds', () =>
    refuses(index({ ...weightMap, d: 'model-1.safetensors' }), /names tensors that no shard holds: "d"/));
  test('a tensor that the index does not name', () =>
    refuses(index({ a: 'model-1.safetensors', c: 'model-2.safetensors' }), /does not name tensors.*: "b"/));
  test('a tensor in another shard than the index says', () =>
    refuses(
      index({ ...weightMap, a: 'model-2.safetensors' }),
      /names another shard than the one that holds: "a"/,
    ));
  test('a tensor in two shards', () =>
    refuses({ ...sharded, 'model-2.safetensors': shard1 }, /tensor "a" is in "model-1.safetensors" as well/));
  test('a malformed shard closes the others and names itself', () =>
    refuses(
      { ...sharded, 'model-2.safetensors': rawSafetensors('{') },
      /model\/model-2.safetensors: header/,
    ));
});

describe('folders', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-checkpoint-'));
    await mkdir(path.join(folder, 'blobs'));
    await mkdir(path.join(folder, 'snapshot'));
    await writeFile(path.join(folder, 'blobs', 'one'), JSON.stringify(config));
    await writeFile(path.join(folder, 'blobs', 'two'), shard1);
    await symlink('../blobs/one', path.join(folder, 'snapshot', 'config.json'));
    await symlink('../blobs/two', path.join(folder, 'snapshot', 'model.safetensors'));
    await symlink('../blobs/gone', path.join(folder, 'snapshot', 'dangling.json'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('a snapshot of links, as in the Hugging Face cache, opens', async () => {
    const checkpoint = await openCheckpoint(folderFiles(path.join(folder, 'snapshot')));
    expect([...(await checkpoint.read('b'))]).toEqual([3, 4]);
    expect(await checkpoint.json('dangling.json')).toBe(undefined);
    await checkpoint.close();
  });

  test('no name leads out of the folder', async () => {
    const files = folderFiles(path.join(folder, 'snapshot'));
    for (const name of ['../blobs/one', '/etc/hostname', '..', '.', 'a/../../blobs/one']) {
      await expect(files.open(name)).rejects.toThrow(/is not the name of a file in this folder/);
    }
  });

  test('a folder in place of a file, and no folder at all, are input errors', async () => {
    await expect(folderFiles(folder).open('blobs')).rejects.toThrow(/is a folder/);
    await expect(openCheckpoint(folderFiles(path.join(folder, 'none')))).rejects.toThrow(
      /none: no such file or folder/,
    );
  });
});
