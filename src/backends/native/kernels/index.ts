/** All kernels: one line a file. A backend assembles those that its tapes name. */
import type { KernelSource } from '../kernel.ts';

export const KERNELS: readonly KernelSource[] = [];
