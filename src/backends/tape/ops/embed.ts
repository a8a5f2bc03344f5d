/** What lowerings of the token embedding share. */
import type { Node } from '../../../graph/index.ts';
import { formatBytes } from '../../../quants/index.ts';
import type { LowerContext } from '../lower.ts';
import { matrix, output, size } from './operands.ts';

/** Arguments of every `embed` kernel: tokens, weight, bytes of a row of it, output, its sizes, rows of the weight. */
export function embedArgs(node: Node<'embed'>, context: LowerContext): number[] {
  const out = output(node);
  const { address, format } = context.weight(node.weight);
  const { cols, rows: limit } = node.weight;
  const common = [
    ...matrix(node.tokens, context),
    address,
    formatBytes(format, cols),
    ...matrix(out, context),
  ];
  return [...common, ...size(out, context), limit];
}
