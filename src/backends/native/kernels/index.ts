/** All kernels: one line a file. A backend assembles those that its tapes name. */
import type { KernelSource } from '../kernel.ts';
import { UNPACKS } from '../unpack/index.ts';
import { tileKernels } from './amx/index.ts';
import { attentionEager } from './attention-eager.ts';
import { attentionFlash } from './attention-flash.ts';
import { attentionMerge, attentionParts } from './attention-parts.ts';
import { batchKernel } from './batch/index.ts';
import { CACHE_KERNELS } from './cache.ts';
import { ELEMENTWISE_KERNELS } from './elementwise.ts';
import { EMBED_KERNELS, embedKernel } from './embed.ts';
import { LIKELIHOOD_KERNELS } from './likelihood.ts';
import { NORM_KERNELS } from './norm.ts';
import { FLOAT_PRODUCTS } from './product-float.ts';
import { quantizeBytes } from './quantize-bytes.ts';
import { ROPE_KERNELS } from './rope.ts';
import { singleKernel } from './single.ts';
import { SQUARE_SUM_KERNELS } from './square-sum.ts';

const unpacks = Object.values(UNPACKS).filter((unpack) => unpack !== undefined);

export const KERNELS: readonly KernelSource[] = [
  ...EMBED_KERNELS,
  ...unpacks.map(embedKernel),
  ...ELEMENTWISE_KERNELS,
  ...NORM_KERNELS,
  ...ROPE_KERNELS,
  ...CACHE_KERNELS,
  ...[attentionFlash, attentionParts, attentionMerge, attentionEager],
  ...LIKELIHOOD_KERNELS,
  ...SQUARE_SUM_KERNELS,
  ...FLOAT_PRODUCTS,
  quantizeBytes,
  ...unpacks.map(batchKernel),
  ...tileKernels(unpacks),
  ...unpacks.flatMap((unpack) => [singleKernel(unpack, 1), singleKernel(unpack, 2)]),
];
