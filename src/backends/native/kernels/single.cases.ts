/** One token times a matrix of a format: what the kernels of single.ts need, laid out for tests and timing. */
import { normal, sample } from '../../../../test/random.ts';
import { FORMATS, type TensorFormat } from '../../../quants/index.ts';
import { activationLayout } from '../activations.ts';
import type { KernelBench } from '../testing.cases.ts';
import type { Unpack } from '../unpack/index.ts';
import { randomBlocks } from '../unpack/unpack.cases.ts';
import { quantizeBytes } from './quantize-bytes.ts';
import type { SingleArg } from './single.ts';

const formats: Readonly<Record<string, TensorFormat>> = FORMATS;

export interface SingleCase {
  readonly x: Float32Array;
  /** `[rows, cols]` as the format's decoder has it. */
  readonly weights: Float32Array;
  readonly args: Readonly<Record<SingleArg, number>>;
  readonly y: Float32Array;
}

/** Random rows and a token, its codes written by `quantize_bytes`. */
export function singleCase(
  bench: KernelBench,
  unpack: Unpack,
  planes: 1 | 2,
  rows: number,
  cols: number,
  x = sample(cols, normal(5)),
): SingleCase {
  const format = formats[unpack.format];
  const group = unpack.block === 256 ? 256 : 32;
  const blocks = randomBlocks(format, (rows * cols) / unpack.block, 7);
  const weights = new Float32Array(rows * cols);
  format.decode(blocks, weights);
  const { codeStride, sumStride, scaleStride, ...layout } = activationLayout(1, cols, group, planes);
  const out = bench.alloc(layout.bytes);
  const places = { codes: out + layout.codes, sums: out + layout.sums, scales: out + layout.scales };
  const strides = { xStride: 4 * cols, codeStride, sumStride, scaleStride };
  bench.run(quantizeBytes, { x: bench.put(x), rows: 1, cols, group, planes, ...places, ...strides });
  const y = bench.put(new Float32Array(rows).fill(Number.NaN));
  const on = { codePlane: codeStride, sumPlane: sumStride, scalePlane: scaleStride };
  const args = { weights: bench.put(blocks), rows, cols, ...places, ...on, y };
  return { x, weights, args, y: bench.f32(y, rows) };
}

/** Row sums in f64, and of the products' magnitudes, which rounding of activations is relative to. */
export function exactRows({
  x,
  weights,
  y,
}: SingleCase): { readonly value: number; readonly size: number }[] {
  return Array.from(y, (_, n) => {
    const row = weights.subarray(n * x.length, (n + 1) * x.length);
    const products = Array.from(row, (weight, i) => weight * x[i]);
    return {
      value: products.reduce((total, product) => total + product, 0),
      size: Math.sqrt(products.reduce((total, product) => total + product * product, 0)),
    };
  });
}
