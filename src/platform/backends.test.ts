/** The choice among backends: by name, by level, and what happens where machine code is forbidden. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LEVEL_NAMES } from '../backends/index.ts';
import { BACKEND_NAMES, checkBackendNames, chooseBackend, nativeSupport } from './backends.ts';

const support = await nativeSupport();
if ('reason' in support) console.log(`skipped: the choice of native levels, because ${support.reason}`);

test('the registry has auto and the backends that it stands for', () => {
  expect(BACKEND_NAMES).toEqual(['auto', 'native', 'wasm', 'reference']);
});

describe('where machine code is forbidden', () => {
  beforeEach(() => {
    process.env['BITMILL_NO_NATIVE'] = '1';
  });
  afterEach(() => {
    delete process.env['BITMILL_NO_NATIVE'];
  });

  test('auto is WebAssembly, and says why', async () => {
    const chosen = await chooseBackend('auto');
    expect(chosen).toMatchObject({ name: 'wasm', fallback: 'BITMILL_NO_NATIVE forbids machine code' });
    const backend = await chosen.open({ threads: 1 });
    expect([backend.name, backend.threads]).toEqual(['wasm', 1]);
    await backend.close();
  });

  test('native by name, and a level, are errors with the same reason', async () => {
    const error = {
      kind: 'resources',
      message: 'the native backend does not run here: BITMILL_NO_NATIVE forbids machine code',
    };
    await expect(chooseBackend('native')).rejects.toMatchObject(error);
    await expect(chooseBackend('auto', 'avx2')).rejects.toMatchObject(error);
  });

  test('wasm and reference by name have nothing to explain', async () => {
    expect((await chooseBackend('wasm')).fallback).toBeUndefined();
    expect((await chooseBackend('reference')).fallback).toBeUndefined();
  });
});

test('a level of a backend that has none, and names that are none, are usage errors', async () => {
  await expect(chooseBackend('wasm', 'avx2')).rejects.toMatchObject({
    kind: 'usage',
    message: 'the backend wasm has no levels',
  });
  expect(() => checkBackendNames('gpu', undefined)).toThrow(
    'backend: gpu is none of auto, native, wasm, reference',
  );
  expect(() => checkBackendNames('native', 'sse')).toThrow('level: sse is none of amx, ');
  checkBackendNames(undefined, undefined);
});

describe.skipIf('reason' in support)('where machine code runs', () => {
  if ('reason' in support) return;

  test('auto is native at the best level', async () => {
    expect(await chooseBackend('auto')).toMatchObject({ name: 'native', level: support.best.name });
  });

  test('every level that the machine runs can be forced; another is one error that names those', async () => {
    for (const level of support.levels) {
      expect(await chooseBackend('native', level)).toMatchObject({ name: 'native', level });
    }
    for (const level of LEVEL_NAMES.filter((name) => !support.levels.includes(name))) {
      await expect(chooseBackend('native', level)).rejects.toMatchObject({
        kind: 'usage',
        message: `this machine does not run level ${level}; it runs ${support.levels.join(', ')}`,
      });
    }
  });
});
