/** Lowering of `cache_store`: one kernel a cache type, for all spans together. */
import { type CacheType, cacheRowBytes, spansOf } from '../../../graph/index.ts';
import type { Lower } from '../lower.ts';

const KERNELS = {
  f32: 'cache_store_f32',
  f16: 'cache_store_f16',
  q8_0: 'cache_store_q8_0',
} as const satisfies Record<CacheType, string>;

export const lowerCacheStore: Lower<'cache_store'> = ({ x, cache }, context) => {
  const { address, stride } = context.place(x);
  const spans = [context.spans(), spansOf(context.dims).length];
  const target = [context.state(cache), cacheRowBytes(cache), cache.cols];
  return [{ kernel: KERNELS[cache.type], args: [address, stride, ...target, ...spans] }];
};
