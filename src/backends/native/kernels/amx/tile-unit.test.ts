/** The tile unit at every level that has one, against the same steps in plain TypeScript. */
import { describe, expect, test } from 'vitest';
import { uniform } from '../../../../../test/random.ts';
import { defineKernel, type KernelSource } from '../../kernel.ts';
import { KernelBench, noLevels, testLevels } from '../../testing.cases.ts';
import { TILES } from '../../x64/index.ts';
import { tileUnit } from './tile-unit.ts';
import { tileConfiguration } from './tiles.ts';

const levels = testLevels.filter(({ amx }) => amx);
if (levels.length === 0) console.log(`skipped: tiles, because ${noLevels}, or it has no AVX-512`);

/** A sum of 5 rows of 7 dwords, a of 5 rows of 3 dwords, b of 3 rows of 7 dwords. */
const [M, N, K] = [5, 7, 3];
const SHAPES = [
  { rows: M, bytes: 4 * N },
  { rows: M, bytes: 4 * K },
  { rows: K, bytes: 4 * N },
];
const STRIDE = 80;
const ARGS = ['a', 'b', 'sum', 'out', 'stride'] as const;

const product = (kind: 'bf16' | 'i8'): KernelSource<(typeof ARGS)[number]> =>
  defineKernel({
    name: `product_${kind}`,
    args: ARGS,
    emit: (k) => {
      const { a, b, sum, out, stride } = k.ints(...ARGS);
      const unit = tileUnit(k);
      unit.begin(SHAPES);
      unit.load(TILES[0], sum, 0, stride);
      unit.load(TILES[1], a, 0, stride);
      k.x.add(b, 8);
      unit.load(TILES[2], b, -8, stride);
      if (kind === 'bf16') unit.multiplyBf16(TILES[0], TILES[1], TILES[2]);
      else unit.multiplyI8(TILES[0], TILES[1], TILES[2]);
      unit.store(TILES[0], out, 0, stride);
      unit.zero(TILES[0]);
      k.x.add(out, 2048);
      unit.store(TILES[0], out, 0, stride);
      unit.end();
    },
  });

const bf16 = (bits: number): number => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];

describe.each(levels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const random = uniform(3);
  const bench = new KernelBench(level);

  function run(kind: 'bf16' | 'i8', a: Uint8Array, b: Uint8Array, sum: Uint8Array): number {
    const out = bench.alloc(4096);
    bench.u8(out, 4096).fill(77);
    const places = { a: bench.put(a), b: bench.put(b), sum: bench.put(sum) };
    bench.run(product(kind), { ...places, out, stride: STRIDE });
    const bytes = bench.u8(out, 4096);
    // Only the tile's rows and columns are written.
    for (let i = 0; i < 2048; i++) {
      const inside = i % STRIDE < 4 * N && Math.floor(i / STRIDE) < M;
      if (!inside) expect(bytes[i]).toBe(77);
      else expect(bytes[2048 + i]).toBe(0);
    }
    return out;
  }

  test('bf16 pairs meet in f32: even and odd elements in sums of their own, then both to what was there', () => {
    const [a, b] = [new Uint16Array(STRIDE * 8), new Uint16Array(STRIDE * 8)];
    // Magnitudes from 2^-8 to 2^8 of both signs: 8 bits each, so that products and sums round.
    for (const values of [a, b]) {
      values.forEach((_, i) => {
        values[i] = (random() < 0.5 ? 0x8000 : 0) | (0x3b80 + Math.floor(0x800 * random()));
      });
    }
    a[1] = 1; // a denormal: zero
    b[1] = 0x7f00;
    const sum = Float32Array.from({ length: STRIDE * 4 }, () => 1e3 * (random() - 0.5));
    const bytes = (values: Uint16Array | Float32Array): Uint8Array => new Uint8Array(values.buffer);
    const found = bench.f32(run('bf16', bytes(a), bytes(b), bytes(sum)), 512);
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        const parts = [0, 1].map((odd) => {
          let part = 0;
          for (let i = 0; i < K; i++) {
            const [left, right] = [a[m * 40 + 2 * i + odd], b[i * 40 + 2 * n + odd]];
            part = Math.fround(part + (left === 1 ? 0 : bf16(left)) * bf16(right));
          }
          return part;
        });
        const both = Math.fround(parts[0] + parts[1]);
        expect(found[m * 20 + n]).toBe(Math.fround(sum[m * 20 + n] + both));
      }
    }
  });

  test('signed bytes meet in i32, exactly', () => {
    const byte = (): number => Math.floor(256 * random());
    const [a, b] = [0, 1].map(() => Uint8Array.from({ length: STRIDE * 8 }, byte));
    const sum = Int32Array.from({ length: STRIDE * 4 }, () => Math.floor(1e6 * random()));
    const found = bench.i32(run('i8', a, b, new Uint8Array(sum.buffer)), 512);
    const [left, right] = [new Int8Array(a.buffer), new Int8Array(b.buffer)];
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let expected = sum[m * 20 + n];
        for (let i = 0; i < 4 * K; i++) {
          expected += left[m * STRIDE + i] * right[(i >> 2) * STRIDE + 4 * n + (i & 3)];
        }
        expect(found[m * 20 + n]).toBe(expected);
      }
    }
  });
});

test('a configuration has the palette, bytes of rows from byte 16 and rows from byte 48 on', () => {
  const bytes = tileConfiguration(SHAPES);
  expect([bytes[0], bytes[16], bytes[18], bytes[20], bytes[48], bytes[49], bytes[50]]).toEqual([
    1, 28, 12, 28, 5, 5, 3,
  ]);
  expect(() => tileConfiguration([{ rows: 17, bytes: 64 }])).toThrow(
    'tile 0 of 17 rows of 64 bytes: at most 16',
  );
});
