/**
 * Matrix products. Quantized weights are multiplied as integers: activations become records of integers first (one
 * command), then every thread expands panels of weights and multiplies them (second command).
 */
import { rowsOf } from '../../../graph/index.ts';
import type { Plane, TensorFormat } from '../../../quants/index.ts';
import type { Command, Lower, LowerContext, Place } from '../../tape/lower.ts';
import * as layout from '../kernels/layout.as.ts';
import { byteProduct, singleProduct } from './single.ts';

/** Up to so many tokens weights are expanded four rows at a time, as they come from memory. */
const FEW_TOKENS = 32;

/** Float weights that are multiplied as they are, by their numbers. */
const { F32, F16, BF16 } = layout;
const FLOAT_TYPES: Readonly<Record<string, number>> = { F32, F16, BF16 };

/** Bytes of a group's record of integer activations. */
const recordBytes = (group: number): number =>
  group === layout.WIDE ? layout.WIDE_RECORD : layout.NARROW_RECORD;

interface Shape {
  readonly tokens: number;
  readonly rows: number;
  readonly cols: number;
}

export const lowerMatmul: Lower<'matmul'> = ({ x, weight, output }, context) => {
  const { address, format } = context.weight(weight);
  const shape = { tokens: rowsOf(x, context.dims), rows: weight.rows, cols: weight.cols };
  if (output === undefined || shape.tokens === 0) return [];
  const operands = { x: context.place(x), weights: address, y: context.place(output) };
  if (format.plane) return integerProduct(shape, operands, format, format.plane, context);
  const type = FLOAT_TYPES[format.name];
  if (type === undefined) throw new Error(`${weight.name}: no product takes ${format.name}`);
  return [floatProduct(shape, operands, type)];
};

interface Operands {
  readonly x: Place;
  readonly weights: number;
  readonly y: Place;
}

function integerProduct(
  { tokens, rows, cols }: Shape,
  { x, weights, y }: Operands,
  format: TensorFormat,
  plane: Plane,
  context: LowerContext,
): Command[] {
  const product = { address: weights, rows, cols, y: y.address };
  const bytes = tokens === 1 && byteProduct(format, x.address, product, context);
  if (bytes) return bytes;
  const pairs = Math.ceil(tokens / 2);
  const records = context.temporary((2 * pairs * recordBytes(plane.group) * cols) / plane.group);
  const quantize = {
    kernel: 'quantize_activations',
    args: [x.address, x.stride, tokens, cols, plane.group, records],
  };
  const single = tokens === 1 && singleProduct(format, product, records);
  if (single) return [quantize, single];
  const { blockBytes, blockSize } = format;
  const blocks = [context.slot(format), blockBytes, blockSize, plane.group, Number(plane.mins)];
  const args = [weights, rows, cols, ...blocks, records, tokens, y.address, y.stride];
  if (tokens === 1) return [quantize, { kernel: 'matvec_int', scratch: layout.ROW_BYTES, args }];
  const kernel = tokens > FEW_TOKENS ? 'matmul_int' : 'matmul_few_int';
  return [quantize, { kernel, scratch: layout.PANEL_BYTES, args }];
}

function floatProduct({ tokens, rows, cols }: Shape, { x, weights, y }: Operands, type: number): Command {
  const kernel = tokens === 1 ? 'matvec_float' : 'matmul_float';
  const args = [weights, rows, cols, type, x.address, x.stride, tokens, y.address, y.stride];
  return { kernel, scratch: layout.FLOAT_PANEL_BYTES, args };
}
