/** Across the lanes of a vector: sums and largest values, halves that are added to sums in f64. */
import type { KernelBuilder } from '../kernel.ts';
import { type Vec, xmm, ymm } from '../x64/index.ts';
import { lowerHalf } from './columns.ts';

/** Instructions that take two vectors to one, lane by lane. */
type Combine = 'vaddps' | 'vaddpd' | 'vmaxps' | 'vmaxpd' | 'vpmaxud';

/** Combines all lanes into lane 0, halves with halves: a fixed order. The other lanes end as anything. */
export function acrossLanes(k: KernelBuilder, vector: Vec, combine: Combine): void {
  const other = k.vec('other');
  const fold = k.x[combine];
  if (vector.kind === 'zmm') {
    k.x.vextractf64x4(ymm(other), vector, 1);
    fold(ymm(vector), ymm(vector), ymm(other));
  }
  if (vector.kind !== 'xmm') {
    k.x[k.level.avx512 ? 'vextracti32x4' : 'vextractf128'](xmm(other), ymm(vector), 1);
    fold(xmm(vector), xmm(vector), xmm(other));
  }
  k.x.vunpckhpd(xmm(other), xmm(vector), xmm(vector));
  fold(xmm(vector), xmm(vector), xmm(other));
  if (combine !== 'vaddpd' && combine !== 'vmaxpd') {
    k.x.vmovshdup(xmm(other), xmm(vector));
    fold(xmm(vector), xmm(vector), xmm(other));
  }
  k.free(other);
}

/** The upper half of a vector of the level in the lower half of another. */
export function upperHalf(k: KernelBuilder, target: Vec, vector: Vec): void {
  if (k.level.avx512) k.x.vextractf64x4(ymm(target), vector, 1);
  else k.x.vextractf128(xmm(target), vector, 1);
}

/** f32 lanes as two vectors of f64 lanes, lower ones first. `low` may be `vector`. */
export function widen(k: KernelBuilder, low: Vec, high: Vec, vector: Vec): void {
  upperHalf(k, high, vector);
  k.x.vcvtps2pd(high, lowerHalf(k, high));
  k.x.vcvtps2pd(low, lowerHalf(k, vector));
}
