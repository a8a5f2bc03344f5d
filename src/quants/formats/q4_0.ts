/** Q4_0: 32 weights `d * (q - 8)` with 4-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { packNibbles } from '../nibbles.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-8, 7);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 0.92, ratio: 1.08, rounds: 2 },
  best: { starts: 24, reach: 0.85, ratio: 1.055, rounds: 3 },
};

export const Q4_0: TensorFormat = {
  name: 'Q4_0',
  id: 2,
  blockSize: 32,
  blockBytes: 18,
  kind: 'quantized',
  kernel: 'q4_0',
  plane: { group: 32, mins: false },
  layout: 'd f16, qs[16]; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(18, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 2 + i);
      dst[out + i] = d * ((q & 15) - 8);
      dst[out + 16 + i] = d * ((q >> 4) - 8);
    }
  }),
  encode: encodeBlocks(18, 32, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(32);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 32), SEARCH[effort], codes);
    viewOf(dst).setUint16(at, d, true);
    packNibbles(dst, at + 2, codes);
  }),
};
