/** A probe: a kernel that does one thing as fast as the machine can, and how much one run of it does. */
import type { KernelSource } from '../kernel.ts';
import type { Features, Level } from '../level.ts';

export interface Probe<A extends string = string> {
  readonly kernel: KernelSource<A>;
  /** Operations of one turn of its loop on a thread; a product and its sum are two. */
  operations(level: Level): number;
  /** Whether the machine has the instructions, beyond those of the level. */
  runs(level: Level, features: Features): boolean;
}

export function defineProbe<A extends string>(probe: Probe<A>): Probe<A> {
  return probe;
}
