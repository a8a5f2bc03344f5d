/** Products of one token: every unpacker at every level against the decoded weights in f64. */
import { describe, expect, test } from 'vitest';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { UNPACKS, type Unpack } from '../unpack/index.ts';
import { exactRows, type SingleCase, singleCase } from './single.cases.ts';
import { singleKernel } from './single.ts';
import { singleScratch } from './single-dot.ts';

if (testLevels.length === 0) console.log(`skipped: products of one token, because ${noLevels}`);

const members = Object.entries(UNPACKS).flatMap(([name, unpack]) => (unpack ? [{ name, unpack }] : []));
const cases = members.flatMap((member) => ([1, 2] as const).map((planes) => ({ ...member, planes })));
/**
 * Largest error allowed, relative to the root of the sum of squared products: rounding to 127 steps a group is off by
 * about 1 % of a value, to 16319 by 1 in 10000; the rest is f32.
 */
const TOLERANCE = { 1: 0.05, 2: 4e-4 } as const;

const scratch = (unpack: Unpack, planes: 1 | 2, { x }: SingleCase) => ({
  scratch: singleScratch(unpack, planes, x.length),
});

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  test.each(cases)(
    '$name, planes $planes: 37 rows are the products of the decoded weights',
    ({ unpack, planes }) => {
      const one = singleCase(bench, unpack, planes, 37, unpack.block === 256 ? 768 : 576 + 32);
      bench.run(singleKernel(unpack, planes), one.args, { threads: 2, ...scratch(unpack, planes, one) });
      const wrong = exactRows(one).flatMap(({ value, size }, n) =>
        Math.abs(one.y[n] - value) <= TOLERANCE[planes] * size ? [] : [`row ${n}: ${one.y[n]}, not ${value}`],
      );
      expect(wrong).toEqual([]);
    },
  );

  test.each(members)('$name: results do not depend on the number of threads', ({ unpack }) => {
    const kernel = singleKernel(unpack, 2);
    const one = singleCase(bench, unpack, 2, 70, 512);
    bench.run(kernel, one.args, scratch(unpack, 2, one));
    const alone = [...one.y];
    one.y.fill(0);
    bench.run(kernel, one.args, { threads: 3, ...scratch(unpack, 2, one) });
    expect([...one.y]).toEqual(alone);
  });

  test.each(cases)('$name, planes $planes: NaN and infinity reach every row', ({ unpack, planes }) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const x = new Float32Array(512).fill(1);
      x[300] = bad;
      const one = singleCase(bench, unpack, planes, 3, 512, x);
      bench.run(singleKernel(unpack, planes), one.args, scratch(unpack, planes, one));
      expect([...one.y]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    }
  });
});
