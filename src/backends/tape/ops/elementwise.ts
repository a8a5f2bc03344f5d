/** Lowering of element-wise operations and of copies of rows. */
import { rowsOf } from '../../../graph/index.ts';
import type { Lower } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

export const lowerAdd: Lower<'add'> = (node, context) => {
  const out = output(node);
  const args = [node.a, node.b, out].flatMap((value) => matrix(value, context));
  return [{ kernel: 'add', args: [...args, ...size(out, context)] }];
};

/** The bias is a matrix whose rows are 0 bytes apart. */
export const lowerAddBias: Lower<'add_bias'> = (node, context) => {
  const out = output(node);
  const { address } = context.weight(node.weight);
  const args = [...matrix(node.x, context), address, 0, ...matrix(out, context), ...size(out, context)];
  return [{ kernel: 'add', args }];
};

export const lowerSwiglu: Lower<'swiglu'> = (node, context) => {
  const out = output(node);
  const args = [node.gate, node.up, out].flatMap((value) => matrix(value, context));
  return [{ kernel: 'swiglu', args: [...args, ...size(out, context)] }];
};

export const lowerRows: Lower<'rows'> = (node, context) => {
  const out = output(node);
  const args = [node.x, node.select, out].flatMap((value) => matrix(value, context));
  const [count, cols] = size(out, context);
  return [{ kernel: 'rows', args: [...args, count, 4 * cols, rowsOf(node.x, context.dims)] }];
};
