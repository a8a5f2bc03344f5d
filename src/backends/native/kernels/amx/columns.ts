/** The last columns of a row: loads of 32 of which only some are there. */
import type { KernelBuilder } from '../../kernel.ts';
import type { Gpr, Mask } from '../../x64/index.ts';

/** Masks of a step's columns. */
export interface StepMasks {
  /** Of 32 columns; of the first 16 where a vector has no more. */
  readonly all: Mask;
  /** Of the last 16. */
  readonly high: Mask;
}

export function stepMasks(k: KernelBuilder): StepMasks {
  return { all: k.registers.mask('columns'), high: k.registers.mask('high columns') };
}

/** Sets the masks to the columns that are there: the first `left` of 32. `left` above 32 is as 32; below 0 it must not be. */
export function setStepMasks(k: KernelBuilder, { all, high }: StepMasks, left: Gpr): void {
  k.scope(() => {
    const [count, ones] = [k.gpr('count'), k.gpr('ones')];
    k.x.mov(ones, 32);
    k.x.mov(count, left);
    k.x.cmp(count, ones);
    k.x.cmov('g', count, ones);
    k.x.mov(ones, -1);
    k.x.bzhi(ones, ones, count); // looks at the low byte of the count alone
    k.x.kmovq_from(all, ones);
    k.x.kshiftrq(high, all, 16);
  });
}
