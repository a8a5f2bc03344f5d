/** Lowering of the token embedding. */
import { formatBytes } from '../../../quants/index.ts';
import type { Lower } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

export const lowerEmbed: Lower<'embed'> = (node, context) => {
  const out = output(node);
  const { address, format } = context.weight(node.weight);
  const { cols, rows: limit } = node.weight;
  const rowBytes = formatBytes(format, cols);
  const common = [...matrix(node.tokens, context), address, rowBytes, ...matrix(out, context)];
  const args = [...common, ...size(out, context), limit];
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
