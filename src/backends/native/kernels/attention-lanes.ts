/** Steps across the lanes of a vector, and over the columns of a row, for attention. */
import type { KernelBuilder } from '../kernel.ts';
import { type Gpr, mem, memAt, type Vec } from '../x64/index.ts';

/** Emits: every lane of `v` becomes the sum, or the maximum, of all of them; in pairs, far ones first. */
export function acrossLanes(k: KernelBuilder, v: Vec, combine: 'vaddps' | 'vmaxps'): void {
  const other = k.vec('other');
  if (k.level.avx512) {
    for (const order of [0x4e, 0xb1]) {
      k.x.vshuff32x4(other, v, v, order);
      k.x[combine](v, v, other);
    }
  } else {
    k.x.vperm2f128(other, v, v, 1);
    k.x[combine](v, v, other);
  }
  for (const order of [0x4e, 0xb1]) {
    k.x.vpermilps(other, v, order);
    k.x[combine](v, v, other);
  }
  k.free(other);
}

/** Emits a loop over `bytes`, a multiple of 64: the body, with an offset, for every vector. */
export function eachVector(k: KernelBuilder, bytes: Gpr, body: (offset: Gpr) => void): void {
  k.scope(() => {
    const offset = k.gpr('offset');
    k.clear(offset);
    k.while(offset, 'l', bytes, () => {
      body(offset);
      k.x.add(offset, k.level.bytes);
    });
  });
}

/** Emits a loop over the numbers 0 .. `size`: whole vectors, then the rest one by one. `at` is the number of the first. */
export function eachColumn(
  k: KernelBuilder,
  size: Gpr,
  vector: (at: Gpr) => void,
  single: (at: Gpr) => void,
): void {
  k.scope(() => {
    const at = k.gpr('at');
    const last = k.gpr('last');
    k.clear(at);
    k.x.lea(last, mem(size, -k.lanes));
    k.while(at, 'le', last, () => {
      vector(at);
      k.x.add(at, k.lanes);
    });
    k.while(at, 'l', size, () => {
      single(at);
      k.x.add(at, 1);
    });
  });
}

/** f32 number `at` of a row. */
export const f32At = (row: Gpr, at: Gpr) => memAt(row, at, 4);
