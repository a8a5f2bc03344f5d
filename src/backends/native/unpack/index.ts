/** The registry of unpackers: how machine code takes apart the blocks of each format. A format without one is widened. */
import { Q4_K } from './q4_k.ts';
import { Q8_0 } from './q8_0.ts';
import type { Unpack } from './unpack.ts';

export type { Header, Kept, Unpack } from './unpack.ts';

/** By the names of `FORMATS`. */
export const UNPACKS: Readonly<Record<string, Unpack | undefined>> = {
  Q4_K,
  Q8_0,
};
