/** The native backend against the reference at every level, and what it promises: the same bits for every number of threads. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { koffiSystem } from '../../platform/koffi-system.ts';
import { FORMATS } from '../../quants/index.ts';
import { backendCases, type Tolerances } from '../backend.cases.ts';
import { type Backend, readF32 } from '../backend.ts';
import { BIT_CASES, bits } from '../bits.cases.ts';
import { dims, runCase, testCase, testValues, testWeight } from '../run-graph.cases.ts';
import { programCases } from '../tape/program.cases.ts';
import { type NativeOptions, nativeBackend } from './backend.ts';
import { noLevels, testLevels } from './testing.cases.ts';

const system = await koffiSystem();
if (testLevels.length === 0) console.log(`skipped: the native backend, because ${noLevels}`);

async function open(options: Omit<NativeOptions, 'system'>): Promise<Backend> {
  if ('reason' in system) throw new Error(system.reason);
  return nativeBackend({ system, ...options });
}

/** Quantized products round activations to 15 bits or to 8 by groups; the rest is f32 arithmetic in another order. */
const WIDE: Tolerances = { rounding: 3e-6, quantized: 4e-3, q8Cache: 1e-2, sums: 1e-12 };
const FAST: Tolerances = { ...WIDE, quantized: 7e-2 };

describe.each(testLevels.map((level) => [level.name, level] as const))('at %s', (_, level) => {
  backendCases('wide, 1 thread', () => open({ level, wide: true }), WIDE);
  backendCases('fast, 2 threads', () => open({ level, threads: 2 }), FAST);

  describe.each([true, false])('the same bits as on one thread, wide %s', (wide) => {
    const single = open({ level, wide });
    const others = [2, 3].map((threads) => open({ level, wide, threads }));
    afterAll(async () => {
      for (const backend of [single, ...others]) await (await backend).close();
    });
    test.each(BIT_CASES)('on 2 and 3 threads: %s', async (_, make) => {
      const wanted = bits(await runCase(await single, make()));
      for (const backend of others) expect(bits(await runCase(await backend, make()))).toEqual(wanted);
    });
  });
});

if (testLevels.length > 0) {
  const [level] = testLevels;
  programCases('kept tapes', () => open({ level, threads: 2 }));
}

describe.skipIf(testLevels.length === 0)('a backend', () => {
  const [level] = testLevels;
  const withBackend = async (use: (backend: Backend) => Promise<void>, maxBytes?: number) => {
    const backend = await open({ level, threads: 2, ...(maxBytes === undefined ? {} : { maxBytes }) });
    await use(backend);
    await backend.close();
  };
  const matrix = { kind: 'weight', name: 'w', format: FORMATS.F32, cols: 64, rows: 2 } as const;

  test('uses a weight where it lies in its file, and never writes there', () =>
    withBackend(async (backend) => {
      const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'bitmill-native-')), 'w.bin');
      const values = testValues(128, 1);
      writeFileSync(file, new Uint8Array(values.buffer));
      const { mtimeMs, ino, size } = statSync(file);
      const read = Object.assign(() => Promise.reject(new Error('it was read')), {
        place: { file: { path: file, size, mtimeMs, ino }, offset: 0 },
      });
      const weight = await backend.upload(matrix, read);
      expect(backend.used).toBe(0);
      expect(await readF32(backend, weight, 128)).toEqual(values);
      expect(() => backend.write(weight, 0, new Uint8Array(4))).toThrow('which is read-only');
      const other = backend.alloc(512, 'other');
      expect(() => backend.copy(other, 0, weight, 0, 4)).toThrow('which is read-only');
      backend.free(weight);
      rmSync(path.dirname(file), { recursive: true });
    }));

  test('copies a weight that has a file where it is told to', async () => {
    const backend = await open({ level, copyWeights: true });
    const values = testValues(128, 1);
    const read = Object.assign(async () => new Uint8Array(values.buffer), {
      place: { file: { path: 'no such file', size: 512, mtimeMs: 0, ino: 0 }, offset: 0 },
    });
    const weight = await backend.upload(matrix, read);
    expect(backend.used).toBe(512);
    expect(await readF32(backend, weight, 128)).toEqual(values);
    await backend.close();
  });

  test('gives a failed upload back, and refuses what is beyond its limit by name', () =>
    withBackend(async (backend) => {
      await expect(backend.upload(matrix, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
      expect(backend.used).toBe(0);
      expect(() => backend.alloc(2049, 'keys')).toThrow('keys: no room for 2049 bytes: 0 of 2048 bytes');
    }, 2048));

  test('names the kernel that met a token which does not exist, and goes on', () =>
    withBackend(async (backend) => {
      const table = testWeight('table', FORMATS.F32, [8, 4]);
      const embed = (token: number) =>
        testCase([table], [{ dims: dims(1), inputs: { tokens: Int32Array.of(token) } }], (g) =>
          g.output('out', g.embed(g.input('tokens', 'T', 1, 'i32'), table)),
        );
      for (const token of [4, -1]) {
        await expect(runCase(backend, embed(token))).rejects.toThrow(
          'kernel embed_f32 stopped: a token, row or target that does not exist',
        );
        expect((await runCase(backend, embed(3))).size).toBeGreaterThan(0);
      }
    }));

  test('refuses everything once it is closed', async () => {
    const backend = await open({ level });
    const buffer = backend.alloc(64, 'x');
    await backend.close();
    await backend.close();
    expect(() => backend.write(buffer, 0, new Uint8Array(4))).toThrow('the native backend is closed');
    await expect(backend.read(buffer, 0, 4)).rejects.toThrow('the native backend is closed');
    expect(() => backend.alloc(64, 'y')).toThrow('the native backend is closed');
    backend.free(buffer);
  });

  test('needs a whole number of threads, at least 1', async () => {
    for (const threads of [0, 1.5, Number.NaN]) {
      await expect(open({ level, threads })).rejects.toThrow('at least 1 is needed');
    }
  });
});
