/** Lowering of the token embedding: a kernel a float format, one for all formats in blocks. */

import type { Lower } from '../../tape/lower.ts';
import { embedArgs } from '../../tape/ops/embed.ts';

export const lowerEmbed: Lower<'embed'> = (node, context) => {
  const { format } = context.weight(node.weight);
  const { cols } = node.weight;
  const args = embedArgs(node, context);
  if (!format.plane) return [{ kernel: `embed_${format.name.toLowerCase()}`, args }];
  const { group, mins } = format.plane;
  const blocks = cols / format.blockSize;
  // Codes i16, scales two f32 a group, mins i16 per 16 weights.
  const scratch = 2 * cols + 8 * (cols / group) + 2 * (cols / 16);
  return [
    {
      kernel: 'embed_blocks',
      scratch,
      args: [...args, context.slot(format), blocks, group, Number(mins)],
    },
  ];
};
