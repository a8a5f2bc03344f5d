/** TQ1_0: 256 ternary weights `d * (digit - 1)`; the digits of a byte are those of the fraction byte / 256 in base 3. */
import { f16ToF32 } from '../../core/index.ts';
import { perBlock, type TensorFormat } from '../format.ts';

/** Runs of bytes: first byte, number of bytes, digits a byte. A run's weights go digit by digit. */
const RUNS = [
  [0, 32, 5],
  [32, 16, 5],
  [48, 4, 4],
] as const;

export const TQ1_0: TensorFormat = {
  name: 'TQ1_0',
  id: 34,
  blockSize: 256,
  blockBytes: 54,
  kind: 'quantized',
  layout: 'qs[48] (5 base-3 digits a byte), qh[4] (4 digits a byte), d f16',
  decode: perBlock(54, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 52, true));
    let next = out;
    for (const [first, bytes, digits] of RUNS) {
      for (let digit = 0; digit < digits; digit++) {
        for (let i = 0; i < bytes; i++) {
          const shifted = (view.getUint8(at + first + i) * 3 ** digit) & 255;
          dst[next++] = (((shifted * 3) >> 8) - 1) * d;
        }
      }
    }
  }),
};
