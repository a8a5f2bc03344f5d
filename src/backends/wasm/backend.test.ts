/** The wasm backend against the reference, and what only it promises: the same bits for every number of threads. */
import os from 'node:os';
import { afterAll, describe, expect, test } from 'vitest';
import { spawnEngineThread } from '../../platform/index.ts';
import { FORMATS, type TensorFormat } from '../../quants/index.ts';
import { backendCases, type Tolerances } from '../backend.cases.ts';
import type { Backend } from '../backend.ts';
import { BIT_CASES, bits, headCase } from '../bits.cases.ts';
import { dims, runCase, testCase, testValues, testWeight } from '../run-graph.cases.ts';
import { wasmBackend } from './backend.ts';

/** Quantized products round activations to 12 bits by groups; the rest is f32 arithmetic in another order. */
const TOLERANCES: Tolerances = { rounding: 3e-6, quantized: 4e-3, q8Cache: 1e-2, sums: 1e-12 };

backendCases('wasm, inline', () => wasmBackend(), TOLERANCES);
backendCases('wasm, 3 threads', () => wasmBackend({ threads: 3, spawn: spawnEngineThread }), TOLERANCES);

describe('the same bits as on one thread', () => {
  const inline = wasmBackend();
  const others = [2, 3].map((threads) => wasmBackend({ threads, spawn: spawnEngineThread }));
  const high = wasmBackend();
  afterAll(async () => {
    for (const backend of [inline, high, ...others]) await (await backend).close();
  });
  test.each(BIT_CASES)('on 2 and 3 threads: %s', async (_, make) => {
    const wanted = bits(await runCase(await inline, make()));
    for (const backend of others) expect(bits(await runCase(await backend, make()))).toEqual(wanted);
  });

  const small = os.totalmem() < 4 * 2 ** 30 ? 'the machine has less than 4 GiB of memory' : undefined;
  if (small) console.warn(`kernels beyond 2 GiB not tested: ${small}`);
  test.skipIf(small)(
    'a block of 2.5 GiB can be had; untouched, it takes no memory of the machine',
    async () => {
      const before = process.memoryUsage().rss;
      (await high).alloc(2.5 * 2 ** 30, 'ballast');
      expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    },
  );
  test.skipIf(small).each(BIT_CASES)('at addresses beyond 2 GiB: %s', async (_, make) => {
    expect(bits(await runCase(await high, make()))).toEqual(bits(await runCase(await inline, make())));
  });
});

async function withBackend(use: (backend: Backend) => Promise<void>, maxBytes?: number): Promise<void> {
  const backend = await wasmBackend(maxBytes === undefined ? {} : { maxBytes });
  await use(backend);
  await backend.close();
}

test('a failed upload gives its memory back and says what the reader said', () =>
  withBackend(async (backend) => {
    const weight = { kind: 'weight', name: 'w', format: FORMATS.F32, cols: 64, rows: 64 } as const;
    const read = () => Promise.reject(new Error('the disk is gone'));
    await expect(backend.upload(weight, read)).rejects.toThrow('the disk is gone');
    expect(backend.used).toBe(0);
  }));

test('a tensor beyond the limit is refused by name', () =>
  withBackend(async (backend) => {
    const weight = {
      kind: 'weight',
      name: 'output.weight',
      format: FORMATS.F32,
      cols: 512,
      rows: 513,
    } as const;
    const upload = backend.upload(weight, async (_, length) => new Uint8Array(length));
    await expect(upload).rejects.toThrow('output.weight: no room for 1050624 bytes');
  }, 1 << 20));

test('a workspace beyond the limit is refused, and the next smaller run works', () =>
  withBackend(async (backend) => {
    const values = (T: number) => {
      const inputs = { x: testValues(T * 64, 1) };
      return testCase([], [{ dims: dims(T), inputs }], (g) => {
        const x = g.input('x', 'T', 64);
        g.output('out', g.add(g.swiglu(x, x), x));
      });
    };
    await expect(runCase(backend, values(1400))).rejects.toThrow(/workspace: no room for 358400 bytes/);
  }, 1 << 20));

test('a buffer takes the place of workspace and commands where there is no other room', () =>
  withBackend(async (backend) => {
    const [, make] = headCase(FORMATS.F32, 1);
    await runCase(backend, make());
    expect(backend.used).toBeGreaterThan(0);
    const all = backend.alloc(1 << 20, 'everything');
    expect(backend.used).toBe(1 << 20);
    backend.free(all);
    await runCase(backend, make());
  }, 1 << 20));

test('a vector in F16 and a matrix in Q8_K, which no kernel reads, are kept as f32', () =>
  withBackend(async (backend) => {
    const upload = async (format: TensorFormat, cols: number, rows: number) => {
      const { bytes } = testWeight('w', format, [cols, rows]);
      const weight = { kind: 'weight', name: 'w', format, cols, rows } as const;
      return backend.upload(weight, async (offset, length) => bytes.slice(offset, offset + length));
    };
    expect((await upload(FORMATS.F16, 256, 1)).bytes).toBe(4 * 256);
    expect((await upload(FORMATS.F64, 256, 3)).bytes).toBe(4 * 768);
    expect((await upload(FORMATS.F16, 256, 3)).bytes).toBe(2 * 768);
  }));

test('a token that does not exist is an error of the run', () =>
  withBackend(async (backend) => {
    const table = testWeight('table', FORMATS.F32, [8, 4]);
    for (const token of [4, -1]) {
      const one = testCase([table], [{ dims: dims(1), inputs: { tokens: Int32Array.of(token) } }], (g) =>
        g.output('out', g.embed(g.input('tokens', 'T', 1, 'i32'), table)),
      );
      await expect(runCase(backend, one)).rejects.toThrow('a token, row or target that does not exist');
    }
  }));
