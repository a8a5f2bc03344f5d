/** Every unpacker at every level against its format's plain decoder, and against what it says of itself. */
import { describe, expect, test } from 'vitest';
import { FORMATS, type TensorFormat } from '../../../quants/index.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { UNPACKS, type Unpack } from './index.ts';
import { randomBlocks, TAKEN, takenKernel } from './unpack.cases.ts';

const COUNT = 200;

const formats: Readonly<Record<string, TensorFormat>> = FORMATS;
const members = Object.entries(UNPACKS).flatMap(([name, unpack]) => (unpack ? [{ name, unpack }] : []));

if (testLevels.length === 0) console.log(`skipped: unpackers, because ${noLevels}`);

test.each(members)('$name names its format and the sizes of its blocks', ({ name, unpack }) => {
  const { blockBytes, blockSize } = formats[name];
  expect(unpack).toMatchObject({ format: name, blockBytes, block: blockSize });
});

interface Taken {
  readonly codes: Uint8Array;
  readonly scales: readonly number[];
  readonly mins: readonly number[];
  readonly d: number;
  readonly dmin: number;
}

/** Blocks as the unpacker takes them apart, with 1 and 0 where it has no scales or mins. */
function take(bench: KernelBench, unpack: Unpack, blocks: Uint8Array, count: number): Taken[] {
  const out = bench.alloc(count * TAKEN.bytes);
  bench.run(takenKernel(unpack), { blocks: bench.put(blocks), count, out });
  return Array.from({ length: count }, (_, b) => {
    const at = out + b * TAKEN.bytes;
    const ones = new Array<number>(16).fill(1);
    const withoutScales = unpack.scaled === undefined;
    const wide = unpack.block === 256;
    return {
      codes: bench.u8(at, unpack.block),
      scales: withoutScales ? ones : [...bench.i16(at + TAKEN.scales, 16)],
      mins: unpack.mins && wide ? [...bench.i16(at + TAKEN.mins, 16)] : ones.map(() => Number(unpack.mins)),
      d: bench.f32(at + TAKEN.d, 1)[0],
      dmin: unpack.mins ? bench.f32(at + TAKEN.dmin, 1)[0] : 0,
    };
  });
}

/** Weights of block b that its parts do not make, up to f32 rounding, as sentences. */
function wrongWeights(
  { codes, scales, mins, d, dmin }: Taken,
  { block, offset }: Unpack,
  weights: Float32Array,
  b: number,
): string[] {
  return Array.from(codes).flatMap((code, i) => {
    const product = d * scales[i >> 4] * (code - offset);
    const min = dmin * mins[i >> 4];
    const expected = weights[b * block + i];
    const rounding = 2 ** -22 * (Math.abs(product) + Math.abs(min));
    if (Math.abs(product - min - expected) <= rounding) return [];
    return [`block ${b}, weight ${i}: ${product - min} instead of ${expected}`];
  });
}

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(members)('$name: the parts of a block make its weights', ({ name, unpack }) => {
    const blocks = randomBlocks(formats[name], COUNT);
    const weights = new Float32Array(COUNT * unpack.block);
    formats[name].decode(blocks, weights);
    const wrong = take(bench, unpack, blocks, COUNT).flatMap((taken, b) =>
      wrongWeights(taken, unpack, weights, b),
    );
    expect(wrong).toEqual([]);
  });

  test.each(members)('$name: its integers stay within what it promises', ({ name, unpack }) => {
    const { scaled = 256, most, mostScale, offset } = unpack;
    for (const { codes, scales } of take(bench, unpack, randomBlocks(formats[name], COUNT, 2), COUNT)) {
      expect(Math.max(...codes)).toBeLessThanOrEqual(most);
      expect(Math.max(...scales.map(Math.abs))).toBeLessThanOrEqual(mostScale);
      scales.forEach((scale, i) => {
        expect(scale).toBe(scales[i - (i % (scaled / 16))]);
        if (16 * i >= codes.length) return;
        const largest = Math.max(
          ...codes.subarray(16 * i, 16 * i + 16).map((code) => Math.abs(code - offset)),
        );
        expect(largest * Math.abs(scale)).toBeLessThanOrEqual(4096);
      });
    }
  });
});
