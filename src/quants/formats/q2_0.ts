/** Q2_0: 64 weights `d * (q - 1)` with 2-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q2_0: TensorFormat = {
  name: 'Q2_0',
  id: 42,
  blockSize: 64,
  blockBytes: 18,
  kind: 'quantized',
  layout: 'd f16, qs[16], lowest 2-bit field first',
  decode: perBlock(18, 64, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 64; i++) {
      dst[out + i] = (((view.getUint8(at + 2 + (i >> 2)) >> (2 * (i & 3))) & 3) - 1) * d;
    }
  }),
};
