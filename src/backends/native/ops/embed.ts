/** Lowering of the token embedding: one kernel a format. */
import type { Lower } from '../../tape/lower.ts';
import { embedArgs } from '../../tape/ops/embed.ts';

export const lowerEmbed: Lower<'embed'> = (node, context) => {
  const { format } = context.weight(node.weight);
  return [{ kernel: `embed_${format.name.toLowerCase()}`, args: embedArgs(node, context) }];
};
