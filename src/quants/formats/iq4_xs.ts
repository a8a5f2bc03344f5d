/** IQ4_XS: 8 sub-blocks of 32 weights `d * scale * value[q]` with scale in -32..31 and the values of IQ4_NL. */
import { f16ToF32 } from '../../core/index.ts';
import { IQ4_VALUES } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const IQ4_XS: TensorFormat = {
  name: 'IQ4_XS',
  id: 23,
  blockSize: 256,
  blockBytes: 136,
  kind: 'quantized',
  layout: 'd f16, scales_h u16, scales_l[4], qs[128]',
  decode: perBlock(136, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const high = view.getUint16(at + 2, true);
    for (let sub = 0; sub < 8; sub++) {
      const low = (view.getUint8(at + 4 + (sub >> 1)) >> (4 * (sub & 1))) & 15;
      const scale = Math.fround(d * ((low | (((high >> (2 * sub)) & 3) << 4)) - 32));
      for (let i = 0; i < 16; i++) {
        const q = view.getUint8(at + 8 + 16 * sub + i);
        dst[out + 32 * sub + i] = scale * IQ4_VALUES[q & 15];
        dst[out + 32 * sub + 16 + i] = scale * IQ4_VALUES[q >> 4];
      }
    }
  }),
};
