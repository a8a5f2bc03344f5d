/** The registry of unpackers: how machine code takes apart the blocks of each format. A format without one is widened. */

import { IQ1_M } from './iq1_m.ts';
import { IQ1_S } from './iq1_s.ts';
import { IQ2_S } from './iq2_s.ts';
import { IQ2_XS } from './iq2_xs.ts';
import { IQ2_XXS } from './iq2_xxs.ts';
import { IQ3_S } from './iq3_s.ts';
import { IQ3_XXS } from './iq3_xxs.ts';
import { Q4_K } from './q4_k.ts';
import { Q8_0 } from './q8_0.ts';
import type { Unpack } from './unpack.ts';

export type { Header, Kept, Unpack } from './unpack.ts';

/** By the names of `FORMATS`. */
export const UNPACKS: Readonly<Record<string, Unpack | undefined>> = {
  Q4_K,
  IQ1_M,
  IQ1_S,
  IQ2_S,
  IQ2_XS,
  IQ2_XXS,
  IQ3_XXS,
  IQ3_S,
  Q8_0,
};
