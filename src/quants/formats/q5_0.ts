/** Q5_0: 32 weights `d * (q - 16)` with 5-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q5_0: TensorFormat = {
  name: 'Q5_0',
  id: 6,
  blockSize: 32,
  blockBytes: 22,
  kind: 'quantized',
  layout: 'd f16, qh u32 (bit i is the fifth bit of weight i), qs[16]',
  decode: perBlock(22, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const high = view.getUint32(at + 2, true);
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 6 + i);
      dst[out + i] = d * (((q & 15) | (((high >>> i) & 1) << 4)) - 16);
      dst[out + 16 + i] = d * (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
    }
  }),
};
