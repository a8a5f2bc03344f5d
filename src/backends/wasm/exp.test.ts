/** The shared e^x, compiled by itself, against f64. */
import { existsSync, readFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import { beforeAll, expect, test } from 'vitest';
import { uniform } from '../../../test/random.ts';

const SOURCE = `
import { exp4, expLess1 } from './src/backends/wasm/kernels/exp.as';
export function exps(x: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) v128.store(x + 4 * i, exp4(v128.load(x + 4 * i)));
}
export function less(x: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) v128.store(x + 4 * i, expLess1(v128.load(x + 4 * i)));
}`;

const COUNT = 100_000;
const memory = new WebAssembly.Memory({ initial: 16 });
let kernels: Record<'exps' | 'less', (address: number, count: number) => void>;

beforeAll(async () => {
  let binary = new Uint8Array();
  const { error, stderr } = await asc.main(
    ['entry.ts', '-o', 'exp.wasm', '-O3', '--enable', 'simd', '--runtime', 'stub', '--importMemory'],
    {
      readFile: (name) =>
        name === 'entry.ts' ? SOURCE : existsSync(name) ? readFileSync(name, 'utf8') : null,
      writeFile: (_, contents) => {
        if (typeof contents !== 'string') binary = new Uint8Array(contents);
      },
    },
  );
  if (error) throw new Error(stderr.toString());
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory, abort: () => {} } });
  kernels = instance.exports as typeof kernels;
});

/** The kernel's results for `xs`, a multiple of four of them. */
function apply(kernel: keyof typeof kernels, xs: Float32Array): Float32Array {
  const view = new Float32Array(memory.buffer, 1024, xs.length);
  view.set(xs);
  kernels[kernel](1024, xs.length);
  return view.slice();
}

/** Distance between neighbouring f32 at `value`, subnormals included. */
function unit(value: number): number {
  return 2 ** (Math.max(Math.floor(Math.log2(Math.abs(value))), -126) - 23);
}

/** Largest error in units in the last place of the exact result. */
function worst(kernel: keyof typeof kernels, xs: Float32Array, exact: (x: number) => number): number {
  return apply(kernel, xs).reduce((most, value, i) => {
    const wanted = exact(xs[i]);
    return Math.max(most, Math.abs(value - wanted) / unit(wanted));
  }, 0);
}

test.each([
  ['where softmax and silu live', -20, 20],
  ['all normal results', -87.3, 88.7],
  ['subnormal results', -103.9, -87.3],
])('e^x is within 2 units in the last place: %s, %d to %d', (_, from, to) => {
  const random = uniform(1);
  const xs = Float32Array.from({ length: COUNT }, () => from + (to - from) * random());
  expect(worst('exps', xs, Math.exp)).toBeLessThan(2);
});

test('e^x of 0 is 1, of -inf and below -104 is 0, of large x is infinite, of NaN is NaN', () => {
  const xs = Float32Array.of(
    0,
    -0,
    Number.NEGATIVE_INFINITY,
    -104,
    -1e30,
    Number.POSITIVE_INFINITY,
    89,
    Number.NaN,
  );
  const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
  expect([...apply('exps', xs)]).toEqual([1, 1, 0, 0, 0, inf, inf, nan]);
});

test('e^x rises with x in every step of f32 between -2 and 2, up to a unit in the last place', () => {
  const xs = Float32Array.from({ length: COUNT }, (_, i) => -2 + (4 * i) / COUNT);
  const found = apply('exps', xs);
  expect(found.every((value, i) => i === 0 || value >= found[i - 1] - unit(value))).toBe(true);
});

test('e^x - 1 is within 3 units in the last place for |x| up to ln 2 / 2', () => {
  const random = uniform(2);
  const xs = Float32Array.from({ length: COUNT }, () => (random() - 0.5) * Math.LN2 * 10 ** (-6 * random()));
  expect(worst('less', xs, Math.expm1)).toBeLessThan(3);
});
