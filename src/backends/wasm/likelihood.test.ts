/** Losses and divergences where logits are not ordinary numbers. Ordinary ones are in the case suite. */
import { afterAll, expect, test } from 'vitest';
import { dims, runCase, testCase } from '../run-graph.cases.ts';
import { wasmBackend } from './backend.ts';

const backend = wasmBackend();
afterAll(async () => (await backend).close());

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;

/** `[nll, argmax]` of one row. */
async function loss(logits: readonly number[], target: number): Promise<number[]> {
  const inputs = { logits: Float32Array.from(logits), targets: Int32Array.of(target) };
  const one = testCase([], [{ dims: dims(1, 1), inputs }], (g) =>
    g.output('out', g.loss(g.input('logits', 'S', logits.length), g.input('targets', 'S', 1, 'i32'))),
  );
  return [...((await runCase(await backend, one)).get('out')?.values ?? [])];
}

/** `[nll, base nll, divergence, same top, p, base p]` of one row. */
async function divergence(
  logits: readonly number[],
  base: readonly number[],
  target: number,
): Promise<number[]> {
  const inputs = {
    logits: Float32Array.from(logits),
    base: Float32Array.from(base),
    targets: Int32Array.of(target),
  };
  const one = testCase([], [{ dims: dims(1, 1), inputs }], (g) => {
    const rows = [g.input('logits', 'S', logits.length), g.input('base', 'S', logits.length)] as const;
    g.output('out', g.divergence(...rows, g.input('targets', 'S', 1, 'i32')));
  });
  return [...((await runCase(await backend, one)).get('out')?.values ?? [])];
}

test.each([
  ['two equal logits: ln 2, the first is the largest', [5, 5], 1, [Math.LN2, 0]],
  ['a logit of -inf has no probability', [0, -inf, 0, 0, 0], 0, [Math.log(4), 0]],
  ['a target at -inf has an infinite loss', [0, -inf, 0, 0, 0], 1, [inf, 0]],
  ['huge logits do not overflow', [3e38, 0, 0], 0, [0, 0]],
  ['a row of -inf alone has no distribution', [-inf, -inf, -inf, -inf, -inf], 0, [nan, 0]],
  ['a logit of +inf has no distribution, but is the largest', [0, 0, inf, 0, 0], 0, [nan, 2]],
  ['a NaN among the first four spoils the loss, not the largest', [0, nan, 3, 1, 0], 2, [nan, 2]],
  ['a NaN after whole fours spoils the loss', [0, 1, 3, 1, nan], 2, [nan, 2]],
  ['a NaN at the start counts as the largest, as it does in the reference', [nan, 1, 3, 1, 0], 2, [nan, 0]],
])('loss: %s', async (_, logits, target, wanted) => {
  const found = await loss(logits, target);
  expect(found[1]).toBe(wanted[1]);
  if (Number.isFinite(wanted[0])) expect(found[0]).toBeCloseTo(wanted[0], 6);
  else expect(found[0]).toBe(wanted[0]);
});

test('divergence: equal distributions are exactly 0 apart, whatever constant is added', async () => {
  const base = [0.5, -1.25, 3, 2, 0, -7];
  const found = await divergence(
    base.map((value) => value + 4),
    base,
    2,
  );
  expect(found[2]).toBe(0);
  expect(found[3]).toBe(1);
});

test('divergence: (1/2, 1/2) against (1/4, 3/4) is ln 2 - ln 3 / 2', async () => {
  const found = await divergence([0, Math.log(3)], [0, 0], 0);
  const kl = Math.LN2 - Math.log(3) / 2;
  [Math.log(4), Math.LN2, kl, 0, 0.25, 0.5].forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 6);
  });
});

test('divergence: what the base gives no probability adds nothing, even where our logit is -inf', async () => {
  expect((await divergence([0, 0, -inf], [0, 0, -inf], 0))[2]).toBe(0);
  expect((await divergence([0, 0, 0], [0, 0, -inf], 0))[2]).toBeCloseTo(Math.log(1.5), 6);
});

test('divergence: what only the base thinks possible is infinitely surprising', async () => {
  const found = await divergence([0, 0, -inf], [0, 0, 0], 0);
  expect(found[2]).toBe(inf);
});

test('divergence: a NaN in our logits spoils our figures and leaves those of the base', async () => {
  const found = await divergence([0, nan, 0, 0, 0], [0, 0, 0, 0, 0], 0);
  expect(found[0]).toBeNaN();
  expect(found[1]).toBeCloseTo(Math.log(5), 6);
  expect(found[2]).toBeNaN();
});
