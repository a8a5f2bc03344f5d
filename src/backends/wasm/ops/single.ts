/**
 * Products of one token, as in generation: for the formats below a kernel multiplies each weight as it unpacks it, with
 * the same bits as a batch and 1.1 to 1.5 times its speed (bench/matmul.mjs).
 */
import type { FormatName, TensorFormat } from '../../../quants/index.ts';
import type { Command } from '../lower.ts';

/** Formats with an export `<name>_single`, all with groups of 256. */
const SINGLE: ReadonlySet<string> = new Set<FormatName>([
  ...(['Q2_K', 'Q3_K', 'Q4_K', 'Q5_K', 'Q6_K', 'IQ4_XS'] as const),
  ...(['IQ1_S', 'IQ1_M', 'IQ2_XXS', 'IQ2_XS', 'IQ2_S', 'IQ3_XXS', 'IQ3_S'] as const),
]);

/** y[n] = sum over k of x[k] w[n, k], x as records; undefined where the format has no such kernel. */
export function singleProduct(
  format: TensorFormat,
  weights: number,
  rows: number,
  cols: number,
  records: number,
  y: number,
): Command | undefined {
  if (!SINGLE.has(format.name)) return undefined;
  return { kernel: `${format.name.toLowerCase()}_single`, args: [weights, rows, cols, records, y] };
}
