/**
 * Products of one token, as in generation. For the formats of single-kinds.as.ts a kernel multiplies each weight as it
 * unpacks it, with the same bits as a batch and 1.1 to 1.5 times its speed. The relaxed engine multiplies activations
 * of a byte instead: another 1.4 to 1.6 times the speed, at llama.cpp's rounding of activations.
 */
import { formatBytes, type TensorFormat } from '../../../quants/index.ts';
import type { Command, LowerContext } from '../../tape/lower.ts';
import { BYTE_RECORD } from '../kernels/bytes-layout.as.ts';
import { WIDE } from '../kernels/layout.as.ts';
import * as kinds from '../kernels/single-kinds.as.ts';

const KINDS: ReadonlyMap<string, number> = new Map(Object.entries(kinds));

/** Formats that `matvec_bytes` knows. */
const BYTE_KINDS: ReadonlyMap<string, number> = new Map([
  ['Q4_K', kinds.Q4_K],
  ['Q5_K', kinds.Q5_K],
  ['Q6_K', kinds.Q6_K],
]);

/** Weights and result of a product: addresses, `rows` rows of `cols` weights. */
interface Product {
  readonly address: number;
  readonly rows: number;
  readonly cols: number;
  readonly y: number;
}

/** y[n] = sum over k of x[k] w[n, k], x as records; undefined where the format has no such kernel. */
export function singleProduct(
  format: TensorFormat,
  { address, rows, cols, y }: Product,
  records: number,
): Command | undefined {
  const kind = KINDS.get(format.name);
  if (kind === undefined) return undefined;
  const args = [kind, address, rows, cols, formatBytes(format, cols), records, y];
  return { kernel: 'matvec_single', args };
}

/** The same with activations of a byte, from f32 at `x`; undefined where the engine or the format has no such kernel. */
export function byteProduct(
  format: TensorFormat,
  x: number,
  { address, rows, cols, y }: Product,
  context: LowerContext,
): Command[] | undefined {
  const kind = BYTE_KINDS.get(format.name);
  if (kind === undefined || context.uniform || !context.has('matvec_bytes')) return undefined;
  const groups = cols / WIDE;
  const records = context.temporary(groups * BYTE_RECORD);
  const args = [kind, address, rows, cols, formatBytes(format, cols), records, y];
  return [
    { kernel: 'quantize_bytes', args: [x, groups, records] },
    { kernel: 'matvec_bytes', args },
  ];
}
