/** Weights in mapped files, through the system where there is one: contents, counting, and files that change. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { LocalFile } from '../../core/index.ts';
import { openFile } from '../../platform/files.ts';
import { koffiSystem } from '../../platform/koffi-system.ts';
import type { FileMapping } from './system.ts';
import { MappedWeights } from './weights.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'bitmill-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const system = await koffiSystem();
if ('reason' in system) console.log(`skipped: mapped weights, because ${system.reason}`);

async function opened(name: string, bytes: Uint8Array): Promise<LocalFile> {
  const file = path.join(folder, name);
  writeFileSync(file, bytes);
  const source = await openFile(file);
  await source.close();
  if (!source.file) throw new Error('a file has no place');
  return source.file;
}

describe.skipIf('reason' in system)('in mapped files', () => {
  if ('reason' in system) return;
  const numbers = Uint8Array.from({ length: 3 * 4096 }, (_, i) => i % 251);

  test('the address of a weight leads to the bytes at its place in the file', async () => {
    const file = await opened('a.bin', numbers);
    const weights = new MappedWeights(system);
    const held = weights.hold({ file, offset: 4099 }, 5);
    expect([...new Uint8Array(system.view(held.address, held.bytes))]).toEqual([
      ...numbers.subarray(4099, 4104),
    ]);
    held.release();
    expect(weights.bytes).toBe(0);
  });

  test('a page of zeros follows a file that fills its last page, for loads of whole vectors', async () => {
    const file = await opened('full.bin', new Uint8Array(4096).fill(7));
    const weights = new MappedWeights(system);
    const held = weights.hold({ file, offset: 4095 }, 1);
    const around = new Uint8Array(system.view(held.address, 4097));
    expect([around[0], around[1], around[4096]]).toEqual([7, 0, 0]);
    held.release();
  });

  test('what is idle can be read again', async () => {
    const file = await opened('again.bin', numbers);
    const weights = new MappedWeights(system);
    const [kept, gone] = [weights.hold({ file, offset: 0 }, 8192), weights.hold({ file, offset: 0 }, 8192)];
    gone.release();
    expect([...new Uint8Array(system.view(kept.address, 8192))]).toEqual([...numbers.subarray(0, 8192)]);
    kept.release();
  });

  test('a file that was replaced, changed or cut since it was opened is one clear error', async () => {
    const weights = new MappedWeights(system);
    const replaced = await opened('replaced.bin', numbers);
    writeFileSync(`${replaced.path}.new`, numbers);
    renameSync(`${replaced.path}.new`, replaced.path);
    expect(() => weights.hold({ file: replaced, offset: 0 }, 1)).toThrow(
      `${replaced.path}: was changed or replaced since it was opened`,
    );
    const grown = await opened('grown.bin', numbers);
    appendFileSync(grown.path, 'x');
    expect(() => weights.hold({ file: grown, offset: 0 }, 1)).toThrow(
      `${grown.path}: has 12289 bytes now; it had 12288 when it was opened`,
    );
    expect(weights.bytes).toBe(0);
  });

  test('a file that becomes shorter while it is mapped is noticed when its next weight is taken', async () => {
    const file = await opened('cut.bin', numbers);
    const weights = new MappedWeights(system);
    const held = weights.hold({ file, offset: 0 }, 1);
    truncateSync(file.path, 4096);
    expect(() => weights.hold({ file, offset: 8192 }, 1)).toThrow(
      `${file.path}: became shorter while it was in use: 4096 bytes are left of 12288`,
    );
    expect(weights.bytes).toBe(12288);
    held.release();
    expect(weights.bytes).toBe(0);
  });
});

/** A system whose mappings only count. */
function counting() {
  const events: string[] = [];
  const mapFile = (name: string): FileMapping => {
    events.push(`map ${name}`);
    return {
      address: 1 << 20,
      bytes: 1000,
      unmap: () => void events.push(`unmap ${name}`),
      sizeNow: () => 1000,
      advise: (use, offset, bytes) => void events.push(`${use} ${offset}+${bytes}`),
    };
  };
  return { events, weights: new MappedWeights({ mapFile }) };
}

const FILE: LocalFile = { path: '/m.gguf', size: 1000, mtimeMs: 1.5, ino: 3 };

test('a file is mapped once and unmapped with its last weight, released twice or not', () => {
  const { events, weights } = counting();
  const first = weights.hold({ file: FILE, offset: 100 }, 10);
  const second = weights.hold({ file: FILE, offset: 200 }, 20);
  expect([first.address, second.address]).toEqual([(1 << 20) + 100, (1 << 20) + 200]);
  first.release();
  first.release();
  second.release();
  expect(events).toEqual(['map /m.gguf', 'soon 100+10', 'soon 200+20', 'idle 100+10', 'unmap /m.gguf']);
});

test('a place that the file does not hold is refused before anything is mapped', () => {
  const { events, weights } = counting();
  for (const [offset, bytes] of [
    [991, 10],
    [-1, 1],
    [0, 0],
    [0.5, 1],
    [2 ** 53, 1],
  ]) {
    expect(() => weights.hold({ file: FILE, offset }, bytes)).toThrow(
      `/m.gguf: has 1000 bytes, which do not hold ${bytes} at ${offset}`,
    );
  }
  expect(events).toEqual([]);
});
