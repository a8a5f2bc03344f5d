/** Q5_1: 32 weights `d * q + m` with 5-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { pairEncoder } from '../affine-pair.ts';
import { perBlock, type TensorFormat, viewOf } from '../format.ts';
import { fifthBits, packNibbles } from '../nibbles.ts';

export const Q5_1: TensorFormat = {
  name: 'Q5_1',
  id: 7,
  blockSize: 32,
  blockBytes: 24,
  kind: 'quantized',
  layout: 'd f16, m f16, qh u32 (bit i is the fifth bit of weight i), qs[16]',
  encode: pairEncoder(31, 24, ({ d, m, codes }, dst, at) => {
    const view = viewOf(dst);
    view.setUint16(at, d, true);
    view.setUint16(at + 2, m, true);
    view.setUint32(at + 4, fifthBits(codes), true);
    packNibbles(dst, at + 8, codes);
  }),
  kernel: 'q5_1',
  plane: { group: 32, mins: true },
  decode: perBlock(24, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const m = f16ToF32(view.getUint16(at + 2, true));
    const high = view.getUint32(at + 4, true);
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 8 + i);
      dst[out + i] = Math.fround(d * ((q & 15) | (((high >>> i) & 1) << 4))) + m;
      dst[out + 16 + i] = Math.fround(d * ((q >> 4) | (((high >>> (i + 16)) & 1) << 4))) + m;
    }
  }),
};
