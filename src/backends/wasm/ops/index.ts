/** The table of lowerings: one line an operation. */
import type { Lowerings } from '../../tape/lower.ts';
import { lowerCacheStore } from '../../tape/ops/cache.ts';
import { lowerAdd, lowerAddBias, lowerRows, lowerSwiglu } from '../../tape/ops/elementwise.ts';
import { lowerDivergence, lowerLoss } from '../../tape/ops/likelihood.ts';
import { lowerRmsNorm } from '../../tape/ops/norm.ts';
import { lowerRope } from '../../tape/ops/rope.ts';
import { lowerSquareSum } from '../../tape/ops/square-sum.ts';
import { lowerAttention } from './attention.ts';
import { lowerEmbed } from './embed.ts';
import { lowerMatmul } from './matmul.ts';

export const LOWERINGS = {
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
} as const satisfies Lowerings;
