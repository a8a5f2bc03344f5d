/** The table of lowerings: one line an operation. */
import type { Lowerings } from '../../tape/lower.ts';
import { lowerCacheStore } from '../../tape/ops/cache.ts';
import { lowerAdd, lowerAddBias, lowerRows, lowerSwiglu } from '../../tape/ops/elementwise.ts';
import { lowerDivergence, lowerLoss } from '../../tape/ops/likelihood.ts';
import { lowerRmsNorm } from '../../tape/ops/norm.ts';
import { lowerRope } from '../../tape/ops/rope.ts';
import { lowerSquareSum } from '../../tape/ops/square-sum.ts';
import type { Level } from '../level.ts';
import { lowerAttention } from './attention.ts';
import { lowerEmbed } from './embed.ts';
import { matmulLowering, type Planes } from './matmul.ts';

export { isMultiplied } from './matmul.ts';

/** @param planes of activations in products with quantized weights. */
export function nativeLowerings(level: Level, planes: Planes): Lowerings {
  return {
    embed: lowerEmbed,
    rms_norm: lowerRmsNorm,
    matmul: matmulLowering(level, planes),
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
  };
}
