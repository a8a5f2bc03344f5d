/** Codes that are places in a table of 16 values (IQ4_NL, IQ4_XS, MXFP4): vpshufb looks up all of a vector at once. */
import type { KernelBuilder } from '../kernel.ts';
import { type Vec, ymm } from '../x64/index.ts';

/** The values plus `offset`, once in every 16 bytes of a vector. */
export function tableOf(k: KernelBuilder, values: readonly number[], offset: number): Vec {
  const table = k.vec('table');
  const bytes = Uint8Array.from({ length: k.level.bytes }, (_, i) => values[i & 15] + offset);
  k.x.vmovdqu(table, k.constant(bytes));
  return table;
}

/** `target` = the values at the places in `target`. */
export function lookUp(k: KernelBuilder, table: Vec, target: Vec): void {
  k.x.vpshufb(target, target.bytes === 64 ? table : ymm(table), target);
}
