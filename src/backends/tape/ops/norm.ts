/** Lowering of the norm. */
import type { Lower } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

export const lowerRmsNorm: Lower<'rms_norm'> = (node, context) => {
  const out = output(node);
  const { address } = context.weight(node.weight);
  const args = [...matrix(node.x, context), address, ...matrix(out, context), ...size(out, context)];
  return [{ kernel: 'rms_norm', args: [...args, node.epsilon] }];
};
