/** Q6_K: 16 sub-blocks of 16 weights `d * scale * (q - 32)` with 6-bit q and 8-bit signed scale. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const Q6_K: TensorFormat = {
  name: 'Q6_K',
  id: 14,
  blockSize: 256,
  blockBytes: 210,
  kind: 'quantized',
  layout: 'ql[128], qh[64], scales int8[16], d f16',
  decode: perBlock(210, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 208, true));
    for (let i = 0; i < 256; i++) {
      const half = i >> 7;
      const column = (i & 127) >> 5;
      const lane = i & 31;
      const low = (view.getUint8(at + 64 * half + 32 * (column & 1) + lane) >> (4 * (column >> 1))) & 15;
      const high = (view.getUint8(at + 128 + 32 * half + lane) >> (2 * column)) & 3;
      const scale = Math.fround(d * view.getInt8(at + 192 + (i >> 4)));
      dst[out + i] = scale * ((low | (high << 4)) - 32);
    }
  }),
};
