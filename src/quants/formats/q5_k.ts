/** Q5_K: 8 sub-blocks of 32 weights `d * scale * q - dmin * min` with 5-bit q and 6-bit scale and min. */
import { f16ToF32 } from '../../core/index.ts';
import { sixBitSearch, superEncoder } from '../affine-super.ts';
import { perBlock, type TensorFormat } from '../format.ts';
import { packSixBitHead, sixBitMin, sixBitScale } from '../six-bit.ts';

export const Q5_K: TensorFormat = {
  name: 'Q5_K',
  id: 13,
  blockSize: 256,
  blockBytes: 176,
  kind: 'quantized',
  layout: 'd f16, dmin f16, scales[12] (6 bits each scale and min), qh[32], qs[128]',
  encode: superEncoder(
    { subBlocks: 8, subSize: 32, maxCode: 31, maxScale: 63, leastMin: 0 },
    sixBitSearch(3, 3),
    176,
    (block, dst, at) => {
      packSixBitHead(block, dst, at);
      block.codes.forEach((q, i) => {
        dst[at + 16 + (i & 31)] |= (q >> 4) << (i >> 5);
        dst[at + 48 + 32 * (i >> 6) + (i & 31)] |= (q & 15) << (4 * ((i >> 5) & 1));
      });
    },
  ),
  kernel: 'q5_k',
  plane: { group: 256, mins: true },
  decode: perBlock(176, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const dmin = f16ToF32(view.getUint16(at + 2, true));
    for (let sub = 0; sub < 8; sub++) {
      const scale = Math.fround(d * sixBitScale(view, at + 4, sub));
      const min = Math.fround(dmin * sixBitMin(view, at + 4, sub));
      const codes = at + 48 + 32 * (sub >> 1);
      const shift = 4 * (sub & 1);
      for (let i = 0; i < 32; i++) {
        const low = (view.getUint8(codes + i) >> shift) & 15;
        const high = (view.getUint8(at + 16 + i) >> sub) & 1;
        dst[out + 32 * sub + i] = Math.fround(scale * (low | (high << 4))) - min;
      }
    }
  }),
};
