/** Lowering of the sums of squares that an importance matrix is made of. */
import type { Lower } from '../lower.ts';
import { matrix, size } from './operands.ts';

export const lowerSquareSum: Lower<'square_sum'> = (node, context) => [
  {
    kernel: 'square_sum',
    args: [...matrix(node.x, context), context.state(node.sums), ...size(node.x, context)],
  },
];
