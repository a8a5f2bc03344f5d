/** Output files of commands. */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeOutput } from './output.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'bitmill-output-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('an output that is an input, by another path or through a link, is refused', async () => {
  const input = path.join(folder, 'in.gguf');
  await writeFile(input, 'model');
  await symlink(input, path.join(folder, 'link.gguf'));
  for (const output of [input, `${folder}/../${path.basename(folder)}/in.gguf`, `${folder}/link.gguf`]) {
    await expect(writeOutput(output, [input], async () => {})).rejects.toMatchObject({ kind: 'usage' });
  }
  expect(await readFile(input, 'utf8')).toBe('model');
});

test('a folder, an empty name, and a path through a file are refused before any work', async () => {
  await mkdir(path.join(folder, 'taken'));
  await writeFile(path.join(folder, 'file'), '');
  for (const output of [path.join(folder, 'taken'), '', path.join(folder, 'file', 'x.gguf')]) {
    const write = writeOutput(output, [], () => Promise.reject(new Error('work was begun')));
    await expect(write).rejects.toMatchObject({ kind: 'input' });
  }
});

test('of two runs that write one file at once, one fails and the file is whole', async () => {
  const output = path.join(folder, 'out.gguf');
  const bytes = new TextEncoder().encode('second');
  const first = writeOutput(output, [], async (sink) => {
    await sink.write(0, new TextEncoder().encode('first'));
    await writeOutput(output, [], (other) => other.write(0, bytes));
  });
  await expect(first).rejects.toThrow('another run is writing it');
  expect(await readFile(output, 'utf8')).toBe('second');
  expect(await readdir(folder)).toEqual(['out.gguf']);
});
