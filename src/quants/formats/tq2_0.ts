/** TQ2_0: 256 weights `d * (q - 1)` with 2-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const TQ2_0: TensorFormat = {
  name: 'TQ2_0',
  id: 35,
  blockSize: 256,
  blockBytes: 66,
  kind: 'quantized',
  layout: 'qs[64], d f16; per 32 bytes: the lowest 2-bit field of each, then the next',
  decode: perBlock(66, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 64, true));
    for (let i = 0; i < 256; i++) {
      const q = (view.getUint8(at + 32 * (i >> 7) + (i & 31)) >> (2 * ((i & 127) >> 5))) & 3;
      dst[out + i] = (q - 1) * d;
    }
  }),
};
