/** Q8_0: 32 weights `d * q` with 8-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q8_0: TensorFormat = {
  name: 'Q8_0',
  id: 8,
  blockSize: 32,
  blockBytes: 34,
  kind: 'quantized',
  layout: 'd f16, qs int8[32]',
  decode: perBlock(34, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 32; i++) dst[out + i] = d * view.getInt8(at + 2 + i);
  }),
};
