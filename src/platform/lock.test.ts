/** The lock of a folder. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockFolder } from './lock.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('a folder is locked once, and again after it was given back', async () => {
  const release = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toThrow('another run is writing here');
  await release();
  expect(await readdir(folder)).toEqual([]);
  await (await lockFolder(folder))();
});

test('the lock of a process that is gone is taken over', async () => {
  await writeFile(path.join(folder, '.bitmill.lock'), `4194999 ${os.hostname()}\n`);
  await (await lockFolder(folder))();
  expect(await readdir(folder)).toEqual([]);
});

test('the lock of another machine, and one that cannot be read, stay', async () => {
  for (const text of ['1 other-machine-of-a-test\n', '']) {
    await writeFile(path.join(folder, '.bitmill.lock'), text);
    await expect(lockFolder(folder)).rejects.toMatchObject({ kind: 'failure' });
  }
});
