/** TQ1_0: 256 ternary weights `d * (digit - 1)`; the digits of a byte are those of the fraction byte / 256 in base 3. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

/** Runs of bytes: first byte, number of bytes, digits a byte. A run's weights go digit by digit. */
const RUNS = [
  [0, 32, 5],
  [32, 16, 5],
  [48, 4, 4],
] as const;

const GRID = uniformGrid(-1, 1);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 1.5, ratio: 1.4, rounds: 2 },
  best: { starts: 16, reach: 1, ratio: 1.15, rounds: 4 },
};

export const TQ1_0: TensorFormat = {
  name: 'TQ1_0',
  id: 34,
  blockSize: 256,
  blockBytes: 54,
  kind: 'quantized',
  kernel: 'tq1_0',
  plane: { group: 256, mins: false },
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
  encode: encodeBlocks(54, 256, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(256);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 256), SEARCH[effort], codes);
    let next = 0;
    for (const [first, bytes, digits] of RUNS) {
      for (let i = 0; i < bytes; i++) {
        let value = 0;
        for (let digit = 0; digit < digits; digit++) {
          value += codes[next + digit * bytes + i] * 3 ** (4 - digit);
        }
        dst[at + first + i] = Math.ceil((value * 256) / 243);
      }
      next += bytes * digits;
    }
    viewOf(dst).setUint16(at + 52, d, true);
  }),
};
