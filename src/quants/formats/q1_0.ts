/** Q1_0: 128 weights `+d` (bit set) or `-d`. */
import { f16ToF32, f32ToF16, MAX_F16 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { readBlock } from '../symmetric.ts';

export const Q1_0: TensorFormat = {
  name: 'Q1_0',
  id: 41,
  blockSize: 128,
  blockBytes: 18,
  kind: 'quantized',
  kernel: 'q1_0',
  plane: { group: 32, mins: false },
  layout: 'd f16, qs[16], lowest bit first',
  decode: perBlock(18, 128, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 128; i++) dst[out + i] = (view.getUint8(at + 2 + (i >> 3)) >> (i & 7)) & 1 ? d : -d;
  }),
  /** The signs, and the least-squares d: the weighted mean magnitude. */
  encode: encodeBlocks(18, 128, (src, importance, from, dst, at) => {
    const { x, w } = readBlock(src, importance, from, 128);
    const sum = x.reduce((total, value, i) => total + w[i] * Math.abs(value), 0);
    const d = sum / w.reduce((total, weight) => total + weight, 0);
    viewOf(dst).setUint16(at, f32ToF16(Math.min(d, MAX_F16)), true);
    dst.fill(0, at + 2, at + 18);
    for (let i = 0; i < 128; i++) if (src[from + i] >= 0) dst[at + 2 + (i >> 3)] |= 1 << (i & 7);
  }),
};
