import { expect, test } from 'vitest';
import { normal, sample } from '../../../../test/random.ts';
import { f32ToF16 } from '../../../core/index.ts';
import { type CacheType, cacheRowBytes, GraphBuilder } from '../../../graph/index.ts';
import { lowerCacheStore } from '../../tape/ops/cache.ts';
import { Bench, type Placed } from '../testing.cases.ts';

/** The bytes of a cache of 3 rows after `x`, rows 40 floats apart, was stored at row `past`. */
function stored(type: CacheType, cols: number, x: Float32Array, past: number, threads: number): Uint8Array {
  const bench = new Bench();
  const builder = new GraphBuilder('test');
  const value = builder.input('x', 'T', cols);
  const cache = builder.cache('keys', type, cols);
  builder.cacheStore(value, cache);
  const [node] = builder.build().nodes;
  if (node.op !== 'cache_store') throw new Error(node.op);
  const bytes = 3 * cacheRowBytes(cache);
  const address = bench.alloc(bytes);
  const places: Placed[] = [
    [value, { address: bench.put(x), stride: 160 }],
    [cache, { address, stride: 0 }],
  ];
  const dims = { T: 2, S: 0, past };
  for (const command of lowerCacheStore(node, bench.context(dims, places))) bench.run(command, threads);
  return bench.u8(address, bytes).slice();
}

const X = sample(80, normal(1), 3);
const row = (r: number, cols: number): Float32Array => X.slice(40 * r, 40 * r + cols);

test('f32: two rows of 38 columns, written after one row, by one thread and by five', () => {
  for (const threads of [1, 5]) {
    const floats = new Float32Array(stored('f32', 38, X, 1, threads).buffer);
    expect(floats.slice(0, 38)).toEqual(new Float32Array(38));
    expect(floats.slice(38, 76)).toEqual(row(0, 38));
    expect(floats.slice(76)).toEqual(row(1, 38));
  }
});

test('f16: the halves of core, subnormal, infinite and NaN ones too', () => {
  const x = X.slice();
  x.set([65519.99, 65520, -1e9, 1e-7, 2.98e-8, Number.NaN, -0, Number.NEGATIVE_INFINITY, 2049, 2051]);
  const halves = new Uint16Array(stored('f16', 38, x, 0, 2).buffer);
  const expected = [...x.slice(0, 38), ...x.slice(40, 78)].map(f32ToF16);
  expect([...halves.slice(0, 76)]).toEqual(expected);
});

test('q8_0: d is the largest magnitude / 127 as f16, codes are x / d, halves away from zero', () => {
  const x = X.slice();
  x.fill(0, 0, 32);
  x.set([127, 0.5, -0.5, 1.5, -1.5, 2.5, 0.49999997, -127, 126.5, -126.49]);
  const bytes = stored('q8_0', 32, x, 1, 1);
  expect([...bytes.slice(0, 34)]).toEqual(new Array(34).fill(0));
  expect([...bytes.slice(34, 36)]).toEqual([0x00, 0x3c]); // 1.0
  expect([...new Int8Array(bytes.buffer, 36, 10)]).toEqual([127, 1, -1, 2, -2, 3, 0, -127, 127, -126]);
});

test('q8_0: random rows equal the formula in plain code', () => {
  const bytes = stored('q8_0', 32, X, 0, 3);
  const view = new DataView(bytes.buffer);
  for (const r of [0, 1]) {
    const x = row(r, 32);
    const d = Math.fround(Math.max(...x.map(Math.abs)) / 127);
    const inverse = Math.fround(1 / d);
    expect(view.getUint16(34 * r, true)).toBe(f32ToF16(d));
    const codes = Array.from(x, (value) => {
      const scaled = Math.fround(value * inverse);
      return Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
    });
    expect([...new Int8Array(bytes.buffer, 34 * r + 2, 32)].map((code) => code + 0)).toEqual(
      codes.map((code) => code + 0),
    );
  }
});
