/** Q1_0: 128 weights `+d` (bit set) or `-d`. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q1_0: TensorFormat = {
  name: 'Q1_0',
  id: 41,
  blockSize: 128,
  blockBytes: 18,
  kind: 'quantized',
  layout: 'd f16, qs[16], lowest bit first',
  decode: perBlock(18, 128, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 128; i++) dst[out + i] = (view.getUint8(at + 2 + (i >> 3)) >> (i & 7)) & 1 ? d : -d;
  }),
};
