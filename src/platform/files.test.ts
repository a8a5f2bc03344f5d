import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openFile, writeAtomically } from './index.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a file appears under its name only when it is whole', async () => {
  const file = path.join(folder, 'a', 'out.bin');
  await writeAtomically(file, async (sink) => {
    await sink.write(4, new Uint8Array([5, 6]));
    expect(readdirSync(path.dirname(file))).toEqual(['out.bin.partial']);
    await sink.write(0, new Uint8Array([1]));
  });
  expect([...readFileSync(file)]).toEqual([1, 0, 0, 0, 5, 6]);
  expect(readdirSync(path.dirname(file))).toEqual(['out.bin']);
});

test('an error while writing keeps the old file and leaves nothing half-written', async () => {
  const file = path.join(folder, 'kept.bin');
  writeFileSync(file, 'old');
  const failing = writeAtomically(file, async (sink) => {
    await sink.write(0, new Uint8Array(10));
    throw new Error('power cut');
  });
  await expect(failing).rejects.toThrow('power cut');
  expect(readFileSync(file, 'utf8')).toBe('old');
  expect(readdirSync(folder)).not.toContain('kept.bin.partial');
});

test('reading past the end, a missing file and a folder are input errors that name the file', async () => {
  const file = path.join(folder, 'short.bin');
  writeFileSync(file, 'abc');
  const source = await openFile(file);
  expect(Buffer.from(await source.read(1, 2)).toString()).toBe('bc');
  await expect(source.read(1, 3)).rejects.toMatchObject({
    kind: 'input',
    message: `${file}: needs 3 bytes at offset 1, but the file ends at 3: it is cut short`,
  });
  await source.close();
  await expect(openFile(path.join(folder, 'none'))).rejects.toMatchObject({ kind: 'input', exitCode: 3 });
  await expect(openFile(folder)).rejects.toMatchObject({
    kind: 'input',
    message: `${folder}: is a folder, not a file`,
  });
});
