/** The registry of unpackers: how machine code takes apart the blocks of each format. A format without one is widened. */
import { IQ1_M } from './iq1_m.ts';
import { IQ1_S } from './iq1_s.ts';
import { IQ2_S } from './iq2_s.ts';
import { IQ2_XS } from './iq2_xs.ts';
import { IQ2_XXS } from './iq2_xxs.ts';
import { IQ3_S } from './iq3_s.ts';
import { IQ3_XXS } from './iq3_xxs.ts';
import { IQ4_NL } from './iq4_nl.ts';
import { IQ4_XS } from './iq4_xs.ts';
import { MXFP4 } from './mxfp4.ts';
import { Q2_K } from './q2_k.ts';
import { Q3_K } from './q3_k.ts';
import { Q4_0 } from './q4_0.ts';
import { Q4_1 } from './q4_1.ts';
import { Q4_K } from './q4_k.ts';
import { Q5_0 } from './q5_0.ts';
import { Q5_1 } from './q5_1.ts';
import { Q5_K } from './q5_k.ts';
import { Q6_K } from './q6_k.ts';
import { Q8_0 } from './q8_0.ts';
import { TQ2_0 } from './tq2_0.ts';
import type { Unpack } from './unpack.ts';

export type { Header, Kept, Unpack } from './unpack.ts';

/** By the names of `FORMATS`. */
export const UNPACKS: Readonly<Record<string, Unpack | undefined>> = {
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  IQ1_S,
  IQ1_M,
  IQ2_XXS,
  IQ2_XS,
  IQ2_S,
  IQ3_XXS,
  IQ3_S,
  IQ4_NL,
  IQ4_XS,
  TQ2_0,
  MXFP4,
};
