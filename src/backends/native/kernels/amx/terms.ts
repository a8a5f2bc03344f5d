/** f32 numbers to bf16 terms: each the nearest of what the terms before it leave. */
import type { KernelBuilder } from '../../kernel.ts';
import { type Vec, ymm } from '../../x64/index.ts';

/**
 * 32 numbers in two zmm, which are destroyed where there is more than one term.
 * @param store takes term t, 32 bf16 in order.
 */
export function splitTerms(
  k: KernelBuilder,
  [low, high]: readonly [Vec, Vec],
  terms: number,
  store: (t: number, packed: Vec) => void,
): void {
  k.scope(() => {
    const packed = k.registers.zmm('packed');
    const part = k.registers.zmm('part');
    for (let t = 0; t < terms; t++) {
      k.x.vcvtne2ps2bf16(packed, high, low);
      store(t, packed);
      if (t === terms - 1) return;
      k.x.vpmovzxwd(part, ymm(packed));
      k.x.vpslld(part, part, 16);
      k.x.vsubps(low, low, part);
      k.x.vextracti64x4(ymm(part), packed, 1);
      k.x.vpmovzxwd(part, ymm(part));
      k.x.vpslld(part, part, 16);
      k.x.vsubps(high, high, part);
    }
  });
}
