/** Caches written at every level: bits as the plain codecs write them, spans in any order, nothing else touched. */
import { describe, expect, test } from 'vitest';
import { CACHE_TYPES, cacheRowBytes, type Span } from '../../../graph/index.ts';
import { storeCacheRow } from '../../reference/memory.ts';
import { dimsOf } from '../../run-graph.cases.ts';
import { spanTable } from '../../tape/spans.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { CACHE_KERNELS } from './cache.ts';
import { normals, putMatrix } from './matrices.cases.ts';

if (testLevels.length === 0) console.log(`skipped: caches, because ${noLevels}`);

const span = (rows: number, past: number, start: number): Span => ({ rows, past, start });

const CASES: readonly (readonly [string, number, readonly Span[], number])[] = [
  ['one row at the start', 32, [span(1, 0, 0)], 1],
  ['one row of 3072 columns', 3072, [span(1, 5, 0)], 2],
  ['three spans, the longest not first', 64, [span(1, 9, 20), span(5, 0, 0), span(2, 3, 8)], 3],
  ['rows of several pieces', 1056, [span(3, 1, 2), span(1, 0, 0)], 3],
];

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  function check(
    type: (typeof CACHE_TYPES)[number],
    cols: number,
    spans: readonly Span[],
    threads: number,
    values: Float32Array,
  ): void {
    const cache = { kind: 'cache', name: 'k', type, cols } as const;
    const rowBytes = cacheRowBytes(cache);
    const wanted = new Uint8Array(40 * rowBytes).fill(77);
    const address = bench.put(wanted);
    let first = 0;
    for (const { rows, past, start } of spans) {
      for (let r = 0; r < rows; r++, first++) {
        storeCacheRow(cache, wanted, start + past + r, values.subarray(first * cols, (first + 1) * cols));
      }
    }
    const x = putMatrix(bench, values, cols);
    const kernel = CACHE_KERNELS[CACHE_TYPES.indexOf(type)];
    const table = bench.put(spanTable(dimsOf(...spans), 'test'));
    const args = {
      x: x.address,
      stride: x.stride,
      cache: address,
      rowBytes,
      cols,
      span: table,
      spans: spans.length,
    };
    bench.run(kernel, args, { threads });
    expect(Buffer.compare(bench.u8(address, wanted.length), wanted)).toBe(0);
  }

  describe.each(CACHE_TYPES)('%s', (type) => {
    test.each(CASES)('%s, rows of %d', (_, cols, spans, threads) => {
      const rows = spans.reduce((sum, span) => sum + span.rows, 0);
      check(type, cols, spans, threads, normals(rows * cols, cols));
    });

    test('zeros, very small and very large numbers', () => {
      const values = normals(4 * 32, 1).map((value, i) => value * [0, 1e-12, 1e-7, 1e3][i >> 5]);
      check(type, 128, [span(1, 0, 0)], 1, values);
    });
  });

  test.each(['f32', 'f16'] as const)('%s: any number of columns', (type) => {
    for (const cols of [1, 7, 45, 1029]) check(type, cols, [span(2, 1, 0)], 2, normals(2 * cols, cols));
  });

  test('q8_0: a NaN makes its block NaN', () => {
    const values = normals(64, 1);
    values[40] = Number.NaN;
    const [address, x] = [bench.alloc(68), putMatrix(bench, values, 64)];
    const table = bench.put(spanTable(dimsOf(span(1, 0, 0)), 'test'));
    const args = {
      x: x.address,
      stride: x.stride,
      cache: address,
      rowBytes: 68,
      cols: 64,
      span: table,
      spans: 1,
    };
    bench.run(CACHE_KERNELS[2], args);
    const [first, second] = [0, 34].map((at) =>
      new DataView(bench.u8(address + at, 2).slice().buffer).getUint16(0, true),
    );
    expect(first & 0x7c00).not.toBe(0x7c00);
    expect(second & 0x7fff).toBeGreaterThan(0x7c00);
  });
});
