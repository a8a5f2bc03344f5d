/** Q3_K: 16 sub-blocks of 16 weights `d * scale * q` with q in -4..3 and scale in -32..31. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

/** Scale of sub-block `sub`, -32..31, from the 12 packed bytes at `at`. */
function q3kScale(view: DataView, at: number, sub: number): number {
  const low = sub < 8 ? view.getUint8(at + sub) & 15 : view.getUint8(at + sub - 8) >> 4;
  const high = (view.getUint8(at + 8 + (sub & 3)) >> (2 * (sub >> 2))) & 3;
  return (low | (high << 4)) - 32;
}

export const Q3_K: TensorFormat = {
  name: 'Q3_K',
  id: 11,
  blockSize: 256,
  blockBytes: 110,
  kind: 'quantized',
  layout: 'hmask[32], qs[64], scales[12] (6 bits each), d f16',
  decode: perBlock(110, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 108, true));
    for (let sub = 0; sub < 16; sub++) {
      const scale = Math.fround(d * q3kScale(view, at + 96, sub));
      const codes = at + 32 + 32 * (sub >> 3) + 16 * (sub & 1);
      const shift = 2 * ((sub & 7) >> 1);
      const high = at + 16 * (sub & 1);
      for (let i = 0; i < 16; i++) {
        const low = (view.getUint8(codes + i) >> shift) & 3;
        const set = (view.getUint8(high + i) >> (sub >> 1)) & 1;
        dst[out + 16 * sub + i] = scale * (low - (set ? 0 : 4));
      }
    }
  }),
};
