/**
 * Matrix products. Quantized weights are multiplied as integers: activations become records of integers first (one
 * command), then every thread expands panels of weights and multiplies them (second command).
 */
import { rowsOf } from '../../../graph/index.ts';
import type { Plane, TensorFormat } from '../../../quants/index.ts';
import * as layout from '../kernels/layout.as.ts';
import type { Command, Lower, LowerContext, Place } from '../lower.ts';
import { singleProduct } from './single.ts';

/** With fewer tokens than this, rows are multiplied one by one as they come from memory. */
const FEW_TOKENS = 4;

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
  const pairs = Math.ceil(tokens / 2);
  const records = context.temporary((2 * pairs * recordBytes(plane.group) * cols) / plane.group);
  const quantize = {
    kernel: 'quantize_activations',
    args: [x.address, x.stride, tokens, cols, plane.group, records],
  };
  const single = tokens === 1 && singleProduct(format, weights, rows, cols, records, y.address);
  if (single) return [quantize, single];
  const { blockBytes, blockSize } = format;
  const blocks = [context.slot(format), blockBytes, blockSize, plane.group, Number(plane.mins)];
  const args = [weights, rows, cols, ...blocks, records, tokens, y.address, y.stride];
  const few = tokens < FEW_TOKENS;
  return [
    quantize,
    { kernel: few ? 'matvec_int' : 'matmul_int', scratch: few ? layout.ROW_BYTES : layout.PANEL_BYTES, args },
  ];
}

function floatProduct({ tokens, rows, cols }: Shape, { x, weights, y }: Operands, type: number): Command {
  const kernel = tokens < FEW_TOKENS ? 'matvec_float' : 'matmul_float';
  const args = [weights, rows, cols, type, x.address, x.stride, tokens, y.address, y.stride];
  return { kernel, scratch: layout.FLOAT_PANEL_BYTES, args };
}
