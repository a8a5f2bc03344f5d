/** Q4_0: 32 weights `d * (q - 8)` with 4-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q4_0: TensorFormat = {
  name: 'Q4_0',
  id: 2,
  blockSize: 32,
  blockBytes: 18,
  kind: 'quantized',
  layout: 'd f16, qs[16]; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(18, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 2 + i);
      dst[out + i] = d * ((q & 15) - 8);
      dst[out + 16 + i] = d * ((q >> 4) - 8);
    }
  }),
};
