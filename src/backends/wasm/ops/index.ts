/** The table of lowerings: one line an operation. */
import type { OpName } from '../../../graph/index.ts';
import type { Lower } from '../lower.ts';
import { lowerAttention } from './attention.ts';
import { lowerCacheStore } from './cache.ts';
import { lowerAdd, lowerAddBias, lowerRows, lowerSwiglu } from './elementwise.ts';
import { lowerEmbed } from './embed.ts';
import { lowerDivergence, lowerLoss } from './likelihood.ts';
import { lowerMatmul } from './matmul.ts';
import { lowerRmsNorm } from './norm.ts';
import { lowerRope } from './rope.ts';
import { lowerSquareSum } from './square-sum.ts';

export const LOWER = {
  embed: lowerEmbed,
  rms_norm: lowerRmsNorm,
  matmul: lowerMatmul,
  add_bias: lowerAddBias,
  rope: lowerRope,
  cache_store: lowerCacheStore,
  attention: lowerAttention,
  swiglu: lowerSwiglu,
  add: lowerAdd,
  rows: lowerRows,
  square_sum: lowerSquareSum,
  loss: lowerLoss,
  divergence: lowerDivergence,
} as const satisfies { [O in OpName]: Lower<O> };
