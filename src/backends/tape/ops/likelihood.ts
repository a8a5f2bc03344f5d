/** Lowering of losses and divergences of logits. */
import type { Lower } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

export const lowerLoss: Lower<'loss'> = (node, context) => {
  const args = [node.logits, node.targets, output(node)].flatMap((value) => matrix(value, context));
  return [{ kernel: 'loss', args: [...args, ...size(node.logits, context)] }];
};

export const lowerDivergence: Lower<'divergence'> = (node, context) => {
  const values = [node.logits, node.base, node.targets, output(node)];
  const args = values.flatMap((value) => matrix(value, context));
  return [{ kernel: 'divergence', scratch: 24, args: [...args, ...size(node.logits, context)] }];
};
