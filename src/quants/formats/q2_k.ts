/** Q2_K: 16 sub-blocks of 16 weights `d * scale * q - dmin * min` with 2-bit q and 4-bit scale and min. */
import { f16ToF32 } from '../../core/index.ts';
import { fourBitSearch, superEncoder } from '../affine-super.ts';
import { perBlock, type TensorFormat, viewOf } from '../format.ts';

export const Q2_K: TensorFormat = {
  name: 'Q2_K',
  id: 10,
  blockSize: 256,
  blockBytes: 84,
  kind: 'quantized',
  layout: 'scales[16] (low nibble scale, high nibble min), qs[64], d f16, dmin f16',
  encode: superEncoder(
    { subBlocks: 16, subSize: 16, maxCode: 3, maxScale: 15, leastMin: 0 },
    fourBitSearch,
    84,
    ({ d, dmin, scales, mins, codes }, dst, at) => {
      scales.forEach((scale, sub) => {
        dst[at + sub] = scale | (mins[sub] << 4);
      });
      codes.forEach((q, i) => {
        dst[at + 16 + 32 * (i >> 7) + (i & 31)] |= q << (2 * ((i >> 5) & 3));
      });
      const view = viewOf(dst);
      view.setUint16(at + 80, d, true);
      view.setUint16(at + 82, dmin, true);
    },
  ),
  kernel: 'q2_k',
  plane: { group: 256, mins: true },
  decode: perBlock(84, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 80, true));
    const dmin = f16ToF32(view.getUint16(at + 82, true));
    for (let sub = 0; sub < 16; sub++) {
      const packed = view.getUint8(at + sub);
      const scale = Math.fround(d * (packed & 15));
      const min = Math.fround(dmin * (packed >> 4));
      const codes = at + 16 + 32 * (sub >> 3) + 16 * (sub & 1);
      const shift = 2 * ((sub & 7) >> 1);
      for (let i = 0; i < 16; i++) {
        dst[out + 16 * sub + i] = Math.fround(scale * ((view.getUint8(codes + i) >> shift) & 3)) - min;
      }
    }
  }),
};
