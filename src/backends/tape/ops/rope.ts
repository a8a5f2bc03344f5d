/** Lowering of rotary position embedding. */
import type { Lower } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

export const lowerRope: Lower<'rope'> = (node, context) => {
  const out = output(node);
  const [rows, cols] = size(out, context);
  const args = [node.x, node.cos, node.sin, out].flatMap((value) => matrix(value, context));
  const shape = [rows, node.heads, cols / node.heads, node.cos.cols];
  return [{ kernel: 'rope', args: [...args, ...shape, Number(node.style === 'neox')] }];
};
