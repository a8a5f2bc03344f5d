/** Losses and divergences at every level against the reference's rows, and where logits are not ordinary numbers. */
import { describe, expect, test } from 'vitest';
import { divergenceRow, lossRow } from '../../reference/likelihood.ts';
import { KernelBench, noLevels, testLevels } from '../testing.cases.ts';
import { LIKELIHOOD_KERNELS } from './likelihood.ts';
import { emptyMatrix, normals, putMatrix } from './matrices.cases.ts';

if (testLevels.length === 0) console.log(`skipped: losses, because ${noLevels}`);

const [loss, divergence] = LIKELIHOOD_KERNELS;
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

describe.each(testLevels.map((level) => ({ name: level.name, level })))('on $name', ({ level }) => {
  const bench = new KernelBench(level);

  /** Figures of each row. */
  function lossRows(logits: Float32Array, targets: readonly number[], threads = 1): number[][] {
    const cols = logits.length / targets.length;
    const [x, out] = [putMatrix(bench, logits, cols), emptyMatrix(bench, targets.length, 2)];
    const args = {
      logits: x.address,
      logitsStride: x.stride,
      targets: bench.put(Int32Array.from(targets)),
      targetsStride: 4,
      out: out.address,
      outStride: out.stride,
      rows: targets.length,
      cols,
    };
    bench.run(loss, args, { threads });
    const found = out.read();
    return targets.map((_, r) => [...found.subarray(2 * r, 2 * r + 2)]);
  }

  function divergenceRows(
    logits: Float32Array,
    baseLogits: Float32Array,
    targets: readonly number[],
    threads = 1,
  ): number[][] {
    const cols = logits.length / targets.length;
    const [x, base] = [putMatrix(bench, logits, cols), putMatrix(bench, baseLogits, cols)];
    const out = emptyMatrix(bench, targets.length, 6);
    const args = {
      logits: x.address,
      logitsStride: x.stride,
      base: base.address,
      baseStride: base.stride,
      targets: bench.put(Int32Array.from(targets)),
      targetsStride: 4,
      out: out.address,
      outStride: out.stride,
      rows: targets.length,
      cols,
    };
    bench.run(divergence, args, { threads });
    const found = out.read();
    return targets.map((_, r) => [...found.subarray(6 * r, 6 * r + 6)]);
  }

  test.each([
    [5, 1000, 1, 2],
    [3, 1003, 30, 1],
    [2, 7, 1, 3],
    [1, 1, 1, 1],
  ])('%d rows of %d logits about %d, %d threads', (rows, cols, scale, threads) => {
    const logits = normals(rows * cols, 1, scale);
    // Equal largest ones: the first counts.
    if (cols > 500) logits[cols + 77] = logits[cols + 401] = 9 * scale;
    const targets = Array.from({ length: rows }, (_, r) => (r * 313) % cols);
    const found = lossRows(logits, targets, threads);
    targets.forEach((target, r) => {
      const [nll, id] = lossRow(logits.subarray(r * cols, (r + 1) * cols), target);
      expect(found[r][1]).toBe(id);
      expect(Math.abs(found[r][0] - nll)).toBeLessThanOrEqual(2e-7 * nll);
    });
  });

  test.each([
    [5, 1000, 0.01, 2],
    [3, 1003, 3, 1],
    [2, 7, 0.3, 3],
    [2, 45, 0, 1],
  ])('%d rows of %d logits, %d apart, %d threads', (rows, cols, distance, threads) => {
    const base = normals(rows * cols, 3, 3);
    const noise = normals(rows * cols, 4, distance);
    // A constant a row changes nothing.
    const logits = base.map((value, i) => value + noise[i] + Math.floor(i / cols));
    const targets = Array.from({ length: rows }, (_, r) => (r * 313) % cols);
    const found = divergenceRows(logits, base, targets, threads);
    targets.forEach((target, r) => {
      const [from, to] = [r * cols, (r + 1) * cols];
      const wanted = divergenceRow(logits.subarray(from, to), base.subarray(from, to), target);
      wanted.forEach((value, i) => {
        // A divergence of close distributions is a small difference of sums, in the reference, too.
        const tolerance = i === 2 ? 3e-6 : 1e-6;
        expect(Math.abs(found[r][i] - value)).toBeLessThanOrEqual(
          tolerance * Math.abs(value) + (i === 2 ? 1e-14 : 0),
        );
      });
    });
  });

  test.each([
    ['two equal logits: ln 2, the first is the largest', [5, 5], 1, [Math.LN2, 0]],
    ['a logit of -inf has no probability', [0, -inf, 0, 0, 0], 0, [Math.log(4), 0]],
    ['a target at -inf has an infinite loss', [0, -inf, 0, 0, 0], 1, [inf, 0]],
    ['huge logits do not overflow', [3e38, 0, 0], 0, [0, 0]],
    ['a row of -inf alone has no distribution', [-inf, -inf, -inf, -inf, -inf], 0, [nan, 0]],
    ['a logit of +inf has no distribution, but is the largest', [0, 0, inf, 0, 0], 0, [nan, 2]],
    ['a NaN spoils the loss, not the largest', [0, nan, 3, 1, 0], 2, [nan, 2]],
    ['a NaN at the start counts as the largest, as it does in the reference', [nan, 1, 3, 1, 0], 2, [nan, 0]],
    ['negative logits alone', [-5, -3, -4], 1, [Math.log(1 + Math.exp(-1) + Math.exp(-2)), 1]],
  ])('loss: %s', (_, logits, target, [nll, id]) => {
    const [found] = lossRows(Float32Array.from(logits), [target]);
    expect(found[1]).toBe(id);
    if (Number.isFinite(nll)) expect(found[0]).toBeCloseTo(nll, 6);
    else expect(found[0]).toBe(nll);
  });

  test('divergence: equal distributions are exactly 0 apart, whatever constant is added', () => {
    const base = Float32Array.of(0.5, -1.25, 3, 2, 0, -7);
    const [found] = divergenceRows(
      base.map((value) => value + 4),
      base,
      [2],
    );
    expect(found.slice(2, 4)).toEqual([0, 1]);
  });

  test('divergence: what the base gives no probability adds nothing; what only it thinks possible is infinite', () => {
    const divergenceOf = (own: readonly number[], base: readonly number[]): number[] =>
      divergenceRows(Float32Array.from(own), Float32Array.from(base), [0])[0];
    expect(divergenceOf([0, 0, -inf], [0, 0, -inf])[2]).toBe(0);
    expect(divergenceOf([0, 0, 0], [0, 0, -inf])[2]).toBeCloseTo(Math.log(1.5), 6);
    expect(divergenceOf([0, 0, -inf], [0, 0, 0])[2]).toBe(inf);
    const spoilt = divergenceOf([0, nan, 0, 0, 0], [0, 0, 0, 0, 0]);
    expect(spoilt[0]).toBeNaN();
    expect(spoilt[1]).toBeCloseTo(Math.log(5), 6);
    expect(spoilt[2]).toBeNaN();
    expect(spoilt[4]).toBeNaN();
  });

  test('a target that does not exist is left out', () => {
    const logits = normals(30, 1);
    const found = lossRows(logits, [3, 10, -1]);
    const [nll, id] = lossRow(logits.subarray(0, 10), 3);
    expect(found[0]).toEqual([expect.closeTo(nll, 6), id]);
    expect(found[1]).toEqual(found[2]);
    expect(found[1][0]).toBe(found[1][1]);
  });
});
