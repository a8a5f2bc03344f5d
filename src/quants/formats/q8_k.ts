/** Q8_K: 256 activations `d * q`; only for activations in integer matrix products, never in files. */
import { perBlock, type TensorFormat } from '../format.ts';

export const Q8_K: TensorFormat = {
  name: 'Q8_K',
  id: 15,
  blockSize: 256,
  blockBytes: 292,
  kind: 'quantized',
  layout: 'd f32, qs int8[256], bsums int16[16] (sums of 16 codes)',
  decode: perBlock(292, 256, (view, at, dst, out) => {
    const d = view.getFloat32(at, true);
    for (let i = 0; i < 256; i++) dst[out + i] = d * view.getInt8(at + 4 + i);
  }),
};
