/** NVFP4: 64 FP4 (E2M1) weights, 16 at a time with an unsigned E4M3 scale. */
import { FP4_DOUBLED } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

/** Value of an unsigned E4M3 byte (exponent bias 7); 0 and 0x7F read as 0. */
export function ue4m3(byte: number): number {
  if (byte === 0 || byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  return exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
}

export const NVFP4: TensorFormat = {
  name: 'NVFP4',
  id: 40,
  blockSize: 64,
  blockBytes: 36,
  kind: 'quantized',
  layout:
    'd[4] UE4M3 (one per 16 weights), qs[32] FP4; of each 8 bytes the low nibbles are the first 8 weights',
  decode: perBlock(36, 64, (view, at, dst, out) => {
    for (let sub = 0; sub < 4; sub++) {
      const scale = ue4m3(view.getUint8(at + sub)) / 2;
      for (let i = 0; i < 8; i++) {
        const q = view.getUint8(at + 4 + 8 * sub + i);
        dst[out + 16 * sub + i] = scale * FP4_DOUBLED[q & 15];
        dst[out + 16 * sub + 8 + i] = scale * FP4_DOUBLED[q >> 4];
      }
    }
  }),
};
