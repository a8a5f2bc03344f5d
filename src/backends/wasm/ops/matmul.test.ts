/** Products against plain f64 sums over decoded weights. Letters: T tokens, N rows of weights, K columns. */
import { expect, test } from 'vitest';
import { normal, sample } from '../../../../test/random.ts';
import { decode, encode, FORMATS, type Plane, type TensorFormat } from '../../../quants/index.ts';
import type { LowerContext } from '../../tape/lower.ts';
import { ENGINE_BASE64 } from '../module.gen.ts';
import { lowerMatmul } from './matmul.ts';

const memory = new WebAssembly.Memory({ initial: 256, maximum: 65536, shared: true });
const table = new WebAssembly.Table({ initial: 64, element: 'anyfunc' });
const exports = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(ENGINE_BASE64, 'base64')), {
  env: { memory, table },
}).exports as Record<string, (...args: number[]) => void>;
const BASE = 4 << 20; // above the module's static data
const COUNTER = BASE - 64;

/** Formats that products take as they are. */
const formats: TensorFormat[] = Object.values(FORMATS).filter(
  ({ name, plane }: TensorFormat) => plane || ['F32', 'F16', 'BF16'].includes(name),
);

/** Row lengths by block size: odd numbers of blocks, and of columns. */
const widths: Record<number, number> = { 1: 577, 32: 576, 64: 576, 128: 640, 256: 768 };

interface Product {
  readonly format: TensorFormat;
  /** Blocks of N rows. */
  readonly weights: Uint8Array;
  readonly rows: number;
  readonly cols: number;
  /** [T, xStride] of which the K columns from `xColumn` on are the input. */
  readonly x: Float32Array;
  readonly xStride: number;
  readonly xColumn: number;
  readonly threads?: number;
}

/** Runs the lowered commands, thread after thread; the output [T, N + 3] lies in a matrix of three more columns. */
function run({ format, weights, rows, cols, x, xStride, xColumn, threads = 1 }: Product): Float32Array[] {
  let top = BASE;
  const alloc = (bytes: number) => {
    const start = top;
    top += Math.ceil(bytes / 64) * 64;
    if (top > memory.buffer.byteLength) memory.grow(Math.ceil((top - memory.buffer.byteLength) / 65536));
    return start;
  };
  const tokens = x.length / xStride;
  const yStride = rows + 3;
  const value = (columns: number) =>
    ({ kind: 'value', id: columns, rows: 'T', cols: columns, type: 'f32' }) as const;
  const [input, output] = [value(cols), value(rows)];
  const [xAt, wAt, yAt] = [alloc(4 * x.length), alloc(weights.length), alloc(4 * tokens * yStride)];
  new Float32Array(memory.buffer, xAt, x.length).set(x);
  new Uint8Array(memory.buffer, wAt, weights.length).set(weights);
  new Float32Array(memory.buffer, yAt, tokens * yStride).fill(7);
  table.set(1, exports[`${format.name.toLowerCase()}_expand`] ?? null);
  const context: LowerContext = {
    dims: { T: tokens, S: 0, past: 0 },
    threads,
    place: (which) =>
      which === output
        ? { address: yAt, stride: 4 * yStride }
        : { address: xAt + 4 * xColumn, stride: 4 * xStride },
    weight: () => ({ address: wAt, format }),
    state: () => 0,
    spans: () => 0,
    temporary: alloc,
    uniform: false,
    has: () => false,
    slot: () => 1,
  };
  const weight = { kind: 'weight', name: 'w', format, cols, rows } as const;
  for (const { kernel, scratch = 0, args } of lowerMatmul(
    { op: 'matmul', x: input, weight, output },
    context,
  )) {
    new Int32Array(memory.buffer, COUNTER, 1)[0] = 0;
    for (let thread = 0; thread < threads; thread++) {
      exports[kernel](thread, threads, alloc(scratch), COUNTER, ...args);
    }
  }
  const y = new Float32Array(memory.buffer, yAt, tokens * yStride);
  for (let t = 0; t < tokens; t++)
    expect(y.slice(t * yStride + rows, (t + 1) * yStride)).toEqual(new Float32Array(3).fill(7));
  return Array.from({ length: tokens }, (_, t) => y.slice(t * yStride, t * yStride + rows));
}

function product(format: TensorFormat, tokens: number, rows: number, cols: number, extra = 0): Product {
  const dense = sample(rows * cols, normal(rows + cols), 0.02);
  const importance = format.requiresImportance ? new Float32Array(cols).fill(1) : null;
  const weights = encode(format, dense, cols, { importance, effort: 'fast' });
  const x = sample(tokens * (cols + extra), normal(tokens));
  return { format, weights, rows, cols, x, xStride: cols + extra, xColumn: extra };
}

/**
 * The error that rounding allows an output: half a step of each group of activations (its largest value /
 * (2^19 / group - 1)) times the weights of the group, plus f32 rounding of 2^-18 of all magnitudes. Float weights
 * (no plane) leave the activations as they are.
 */
function bound(x: Float32Array, w: Float32Array, plane?: Plane): number {
  const group = plane?.group ?? 4;
  const halfStep = plane ? 0.5 / (2 ** 19 / group - 1) : 0;
  let allowed = 0;
  for (let from = 0; from < x.length; from += group) {
    const [xs, ws] = [x.subarray(from, from + group), w.subarray(from, from + group)];
    const largest = xs.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const magnitudes = ws.reduce((sum, value) => sum + Math.abs(value), 0);
    allowed += (halfStep + 2 ** -18) * largest * magnitudes;
  }
  return allowed;
}

function expectClose(given: Product): void {
  const { format, weights, rows, cols, x, xStride, xColumn } = given;
  const dense = decode(format, weights, rows * cols);
  let [errors, squares] = [0, 0];
  run(given).forEach((y, t) => {
    const xs = x.subarray(t * xStride + xColumn, t * xStride + xColumn + cols);
    for (let n = 0; n < rows; n++) {
      const ws = dense.subarray(n * cols, (n + 1) * cols);
      const exact = xs.reduce((sum, value, k) => sum + value * ws[k], 0);
      const error = Math.abs(y[n] - exact);
      expect(error, `T ${t} N ${n}`).toBeLessThanOrEqual(bound(xs, ws, format.plane));
      errors += error ** 2;
      squares += exact ** 2;
    }
  });
  expect(Math.sqrt(errors / squares)).toBeLessThan(5e-4);
}

test.each(formats.map((format) => [format.name, format] as const))(
  '%s: products are within the rounding of the activations, for 1 to 9 tokens and odd numbers of rows',
  (_, format) => {
    for (let tokens = 1; tokens <= 9; tokens++) {
      expectClose(product(format, tokens, 30 + tokens, widths[format.blockSize]));
    }
  },
);

test.each(formats.map((format) => [format.name, format] as const))(
  '%s: rows longer than a panel, columns of a wider matrix as the input',
  (_, format) => {
    expectClose(product(format, 3, 37, 2304, 64));
    expectClose(product(format, 2, 41, 9216));
    expectClose(product(format, 37, 5, 1280, 4));
  },
);

test.each(formats.map((format) => [format.name, format] as const))(
  '%s: a token gives the same bits alone, in any batch, with any number of threads',
  (_, format) => {
    const batch = product(format, 35, 37, 2048);
    const together = run(batch);
    expect(run({ ...batch, threads: 3 })).toEqual(together);
    for (const tokens of [1, 2, 3, 5, 16, 32]) {
      const part = run({ ...batch, x: batch.x.subarray(0, tokens * batch.xStride) });
      expect(part).toEqual(together.slice(0, tokens));
    }
  },
);

/** Formats that stand for the kinds of kernels: wide and narrow groups, with and without mins, floats. */
const kinds = formats.filter(({ name }) =>
  ['Q4_K', 'Q6_K', 'Q8_0', 'Q4_1', 'F32', 'F16', 'BF16'].includes(name),
);

test.each(kinds.map((format) => [format.name, format] as const))(
  '%s: a NaN or an infinite activation makes the outputs of its token non-finite, and of no other',
  (_, format) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const tokens of [1, 3, 6]) {
        const given = product(format, tokens, 6, 512);
        given.x[given.x.length - 5] = bad;
        const finite = run(given).map((y) => [...y].filter(Number.isFinite).length);
        expect(finite).toEqual([...Array(tokens - 1).fill(6), 0]);
      }
    }
  },
);

test.each(kinds.map((format) => [format.name, format] as const))(
  '%s: activations of zero give zeros',
  (_, format) => {
    for (const tokens of [1, 5]) {
      const given = product(format, tokens, 6, 512);
      given.x.fill(0);
      expect(run(given)).toEqual(Array(tokens).fill(new Float32Array(6)));
    }
  },
);

test.each([1, 5])(
  'F16: with %i tokens, weights are what decode says, the subnormal and special ones too',
  (tokens) => {
    // Each row is one f16 value and fifteen zeros, by activations of 1: the output is the value itself.
    const values = [0x0001, 0x03ff, 0x8001, 0x0400, 0x3c01, 0xfbff, 0x7c00, 0xfc00, 0x7e00];
    const bits = Uint16Array.from(values.flatMap((value) => [0, 0, value, ...Array(13).fill(0)]));
    const weights = new Uint8Array(bits.buffer);
    const x = new Float32Array(16 * tokens).fill(1);
    const given = { format: FORMATS.F16, weights, rows: values.length, cols: 16, x, xStride: 16, xColumn: 0 };
    const decoded = decode(FORMATS.F16, weights, bits.length).filter((_, i) => i % 16 === 2);
    for (const y of run(given)) expect(y).toEqual(decoded);
  },
);

test('activations below 1e-32 count as zero, so that no scale overflows', () => {
  const given = product(FORMATS.Q8_0, 2, 3, 512);
  given.x.fill(1e-38);
  expect(run(given)).toEqual([new Float32Array(3), new Float32Array(3)]);
});
