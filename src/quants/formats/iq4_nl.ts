/** IQ4_NL: 32 weights `d * value[q]` with 16 unevenly spaced values. */
import { f16ToF32 } from '../../core/index.ts';
import { IQ4_VALUES } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

export const IQ4_NL: TensorFormat = {
  name: 'IQ4_NL',
  id: 20,
  blockSize: 32,
  blockBytes: 18,
  kind: 'quantized',
  layout: 'd f16, qs[16]; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(18, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 2 + i);
      dst[out + i] = d * IQ4_VALUES[q & 15];
      dst[out + 16 + i] = d * IQ4_VALUES[q >> 4];
    }
  }),
};
