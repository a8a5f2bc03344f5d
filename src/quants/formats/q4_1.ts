/** Q4_1: 32 weights `d * q + m` with 4-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { pairEncoder } from '../affine-pair.ts';
import { perBlock, type TensorFormat, viewOf } from '../format.ts';
import { packNibbles } from '../nibbles.ts';

export const Q4_1: TensorFormat = {
  name: 'Q4_1',
  id: 3,
  blockSize: 32,
  blockBytes: 20,
  kind: 'quantized',
  layout: 'd f16, m f16, qs[16]; low nibbles are weights 0..15, high ones 16..31',
  encode: pairEncoder(15, 20, ({ d, m, codes }, dst, at) => {
    const view = viewOf(dst);
    view.setUint16(at, d, true);
    view.setUint16(at + 2, m, true);
    packNibbles(dst, at + 4, codes);
  }),
  kernel: 'q4_1',
  plane: { group: 32, mins: true },
  decode: perBlock(20, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const m = f16ToF32(view.getUint16(at + 2, true));
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 4 + i);
      dst[out + i] = Math.fround(d * (q & 15)) + m;
      dst[out + 16 + i] = Math.fround(d * (q >> 4)) + m;
    }
  }),
};
