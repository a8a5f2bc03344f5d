/** Matrix products: which kernels multiply which weights. */
import { rowsOf } from '../../../graph/index.ts';
import type { TensorFormat } from '../../../quants/index.ts';
import type { Command, Lower, Place } from '../../tape/lower.ts';
import { FLOAT_ARGS, FLOAT_SCRATCH } from '../kernels/product-float.ts';
import { argsOf } from './args.ts';

/** A product in one run: x [tokens, cols], weights [rows, cols] without gaps, y [tokens, rows]. */
export interface Product {
  readonly format: TensorFormat;
  readonly tokens: number;
  readonly rows: number;
  readonly cols: number;
  readonly x: Place;
  readonly weights: number;
  readonly y: Place;
}

/** Weights that are multiplied with f32 activations as they are. */
const FLOATS: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16']);

/** Whether there are kernels for the format. */
export function isMultiplied(format: TensorFormat): boolean {
  return FLOATS.has(format.name);
}

export const lowerMatmul: Lower<'matmul'> = ({ x, weight, output }, context) => {
  const { address, format } = context.weight(weight);
  const tokens = rowsOf(x, context.dims);
  if (output === undefined || tokens === 0) return [];
  const { rows, cols } = weight;
  const places = { x: context.place(x), weights: address, y: context.place(output) };
  return [floatProduct({ format, tokens, rows, cols, ...places })];
};

function floatProduct({ format, tokens, rows, cols, x, weights, y }: Product): Command {
  const kernel = `product_${format.name.toLowerCase()}`;
  const places = { x: x.address, xStride: x.stride, y: y.address, yStride: y.stride };
  return {
    kernel,
    scratch: FLOAT_SCRATCH,
    args: argsOf(FLOAT_ARGS, { weights, rows, cols, tokens, ...places }),
  };
}
