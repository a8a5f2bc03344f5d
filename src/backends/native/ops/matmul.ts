/**
 * Matrix products: which kernels multiply which weights. Float weights take f32 activations as they are. For quantized
 * weights activations become bytes first (one command), and products are sums of integers (second command): one token
 * straight from the blocks, several by way of panels that all tokens share.
 */
import { rowsOf } from '../../../graph/index.ts';
import type { TensorFormat } from '../../../quants/index.ts';
import type { Command, Lower, LowerContext, Place } from '../../tape/lower.ts';
import { type ActivationLayout, activationLayout } from '../activations.ts';
import { floatFormat } from '../kernels/amx/index.ts';
import { BATCH_ARGS, batchArgs, batchScratch } from '../kernels/batch/index.ts';
import { FLOAT_ARGS, FLOAT_SCRATCH } from '../kernels/product-float.ts';
import { QUANTIZE_ARGS } from '../kernels/quantize-bytes.ts';
import { SINGLE_ARGS } from '../kernels/single.ts';
import { singleScratch } from '../kernels/single-dot.ts';
import type { Level } from '../level.ts';
import { UNPACKS, type Unpack } from '../unpack/index.ts';
import { argsOf } from './args.ts';
import { tileProduct } from './matmul-tiles.ts';

/** Planes of activations in products with quantized weights; see activations.ts. */
export type Planes = 1 | 2;

/** A product in one run: x [tokens, cols], weights [rows, cols] without gaps, y [tokens, rows]. */
export interface Product {
  readonly tokens: number;
  readonly rows: number;
  readonly cols: number;
  readonly x: Place;
  readonly weights: number;
  readonly y: Place;
}

/** Weights that are multiplied with f32 activations. */
const FLOATS: ReadonlySet<string> = new Set(['F32', 'F16', 'BF16']);

/** Whether there are kernels for the format. */
export function isMultiplied({ name }: TensorFormat): boolean {
  return FLOATS.has(name) || UNPACKS[name] !== undefined;
}

export function matmulLowering(level: Level, planes: Planes): Lower<'matmul'> {
  return ({ x, weight, output }, context) => {
    const { address, format } = context.weight(weight);
    const tokens = rowsOf(x, context.dims);
    if (output === undefined || tokens === 0) return [];
    const { rows, cols } = weight;
    const places = { x: context.place(x), weights: address, y: context.place(output) };
    const product = { tokens, rows, cols, ...places };
    const unpack = UNPACKS[format.name];
    if (level.amx && (tokens > 1 || context.uniform)) {
      const kind = unpack ?? floatFormat(format);
      if (kind) return tileProduct(product, kind, planes, context);
    }
    if (!unpack) return [floatProduct(format, product)];
    return integerProduct(product, unpack, { level, planes, context });
  };
}

function floatProduct(format: TensorFormat, { tokens, rows, cols, x, weights, y }: Product): Command {
  const kernel = `product_${format.name.toLowerCase()}`;
  const places = { x: x.address, xStride: x.stride, y: y.address, yStride: y.stride };
  return {
    kernel,
    scratch: FLOAT_SCRATCH,
    args: argsOf(FLOAT_ARGS, { weights, rows, cols, tokens, ...places }),
  };
}

interface Setting {
  readonly level: Level;
  readonly planes: Planes;
  readonly context: LowerContext;
}

function integerProduct(product: Product, unpack: Unpack, { level, planes, context }: Setting): Command[] {
  const { tokens, cols } = product;
  const layout = activationLayout(tokens, cols, unpack.block, planes);
  const at = context.temporary(layout.bytes);
  const multiply =
    tokens === 1 && !context.uniform
      ? singleProduct(product, unpack, layout, at)
      : batchProduct(product, unpack, { layout, at, level });
  return [quantize(product, layout, at), multiply];
}

/** Places of the parts of activations at address `at`. */
function partsOf(
  { codes, codeStride, sums, sumStride, scales, scaleStride, planes }: ActivationLayout,
  at: number,
) {
  return {
    codes: at + codes,
    codeStride,
    sums: at + sums,
    sumStride,
    scales: at + scales,
    scaleStride,
    planes,
  };
}

function quantize({ tokens, cols, x }: Product, layout: ActivationLayout, at: number): Command {
  const from = { x: x.address, xStride: x.stride, rows: tokens, cols, group: layout.group };
  return { kernel: 'quantize_bytes', args: argsOf(QUANTIZE_ARGS, { ...from, ...partsOf(layout, at) }) };
}

function singleProduct(
  { rows, cols, weights, y }: Product,
  unpack: Unpack,
  { codes, codeStride, sums, sumStride, scales, scaleStride, planes }: ActivationLayout,
  at: number,
): Command {
  const first = { codes: at + codes, sums: at + sums, scales: at + scales };
  const next = { codePlane: codeStride, sumPlane: sumStride, scalePlane: scaleStride }; // a plane of one token
  const args = argsOf(SINGLE_ARGS, { weights, rows, cols, y: y.address, ...first, ...next });
  const kernel = `single_${unpack.format.toLowerCase()}_${planes}`;
  return { kernel, scratch: singleScratch(unpack, planes, cols), args };
}

interface Activations {
  readonly layout: ActivationLayout;
  readonly at: number;
  readonly level: Level;
}

function batchProduct(product: Product, { format }: Unpack, { layout, at, level }: Activations): Command {
  const { tokens, rows, cols, weights, y } = product;
  const sizes = { weights, rows, cols, tokens, y: y.address, yStride: y.stride };
  const args = argsOf(BATCH_ARGS, batchArgs(sizes, at, layout));
  return { kernel: `batch_${format}`, scratch: batchScratch(level), args };
}
