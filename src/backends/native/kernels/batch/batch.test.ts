/** Products of many tokens, every unpacker at every level, against f64 products of the decoded weights. */
import { describe, expect, test } from 'vitest';
import { KernelBench, noLevels, testLevels } from '../../testing.cases.ts';
import { UNPACKS, type Unpack } from '../../unpack/index.ts';
import {
  type Activations,
  randomActivations,
  randomWeights,
  type Shape,
  wrongProducts,
} from './batch.cases.ts';
import { batchArgs, batchKernel, batchScratch } from './index.ts';

const members = Object.entries(UNPACKS).flatMap(([name, unpack]) => (unpack ? [{ name, unpack }] : []));

if (testLevels.length === 0) console.log(`skipped: products of many tokens, because ${noLevels}`);

/** y [token][row], the rows of tokens that follow each other. */
function product(
  bench: KernelBench,
  unpack: Unpack,
  blocks: Uint8Array,
  { address, layout }: Activations,
  { tokens, rows, cols }: Shape,
  threads = 1,
): Float32Array {
  const y = bench.alloc(4 * tokens * rows + 4);
  const shape = { weights: bench.put(blocks), rows, cols, tokens, y, yStride: 4 * rows };
  bench.run(batchKernel(unpack), batchArgs(shape, address, layout), {
    threads,
    scratch: batchScratch(bench.level),
  });
  expect(bench.f32(y, tokens * rows + 1)[tokens * rows]).toBe(0);
  return bench.f32(y, tokens * rows);
}

const shapesOf = ({ block }: Unpack): Shape[] => [
  { tokens: 1, rows: 5, cols: block, planes: 1 },
  { tokens: 9, rows: 33, cols: 3 * block, planes: 2 },
  { tokens: 67, rows: 47, cols: block === 32 ? 320 : 512, planes: 1 },
];

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(members)('$name: products are those of the decoded weights, to f32 rounding', ({ unpack }) => {
    for (const shape of shapesOf(unpack)) {
      const { blocks, weights } = randomWeights(unpack, shape);
      const activations = randomActivations(bench, unpack, shape);
      const y = product(bench, unpack, blocks, activations, shape);
      expect(wrongProducts(y, weights, activations.values, shape)).toEqual([]);
    }
  });

  test.each(members)('$name: three threads and fewer tokens give the same bits', ({ unpack }) => {
    const shape: Shape = { tokens: 13, rows: 70, cols: unpack.block * 3, planes: 1 };
    const { blocks } = randomWeights(unpack, shape);
    const activations = randomActivations(bench, unpack, shape);
    const all = product(bench, unpack, blocks, activations, shape);
    expect(product(bench, unpack, blocks, activations, shape, 3)).toEqual(all);
    for (let tokens = 1; tokens <= 7; tokens++) {
      const some = product(bench, unpack, blocks, activations, { ...shape, tokens });
      expect(some).toEqual(all.slice(0, tokens * shape.rows));
    }
  });
});

test.each(testLevels.slice(0, 1))('more tokens than a round takes: $name', (level) => {
  const bench = new KernelBench(level);
  for (const { unpack } of members.slice(0, 1)) {
    const shape: Shape = { tokens: 515, rows: 3, cols: unpack.block, planes: 1 };
    const { blocks, weights } = randomWeights(unpack, shape);
    const activations = randomActivations(bench, unpack, shape);
    const y = product(bench, unpack, blocks, activations, shape);
    expect(wrongProducts(y, weights, activations.values, shape)).toEqual([]);
  }
});
