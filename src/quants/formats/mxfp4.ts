/** MXFP4: 32 FP4 (E2M1) weights with one power-of-two scale (OCP Microscaling). */
import { FP4_DOUBLED } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const MXFP4: TensorFormat = {
  name: 'MXFP4',
  id: 39,
  blockSize: 32,
  blockBytes: 17,
  kind: 'quantized',
  layout: 'e u8 (power of two), qs[16] FP4; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(17, 32, (view, at, dst, out) => {
    const scale = 2 ** (view.getUint8(at) - 128);
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 1 + i);
      dst[out + i] = scale * FP4_DOUBLED[q & 15];
      dst[out + 16 + i] = scale * FP4_DOUBLED[q >> 4];
    }
  }),
};
