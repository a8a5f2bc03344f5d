/** Q5_0: 32 weights `d * (q - 16)` with 5-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { fifthBits, packNibbles } from '../nibbles.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-16, 15);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 0.95, ratio: 1.05, rounds: 2 },
  best: { starts: 16, reach: 0.92, ratio: 1.035, rounds: 3 },
};

export const Q5_0: TensorFormat = {
  name: 'Q5_0',
  id: 6,
  blockSize: 32,
  blockBytes: 22,
  kind: 'quantized',
  kernel: 'q5_0',
  plane: { group: 32, mins: false },
  layout: 'd f16, qh u32 (bit i is the fifth bit of weight i), qs[16]',
  decode: perBlock(22, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const high = view.getUint32(at + 2, true);
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 6 + i);
      dst[out + i] = d * (((q & 15) | (((high >>> i) & 1) << 4)) - 16);
      dst[out + 16 + i] = d * (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
    }
  }),
  encode: encodeBlocks(22, 32, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(32);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 32), SEARCH[effort], codes);
    const view = viewOf(dst);
    view.setUint16(at, d, true);
    view.setUint32(at + 2, fifthBits(codes), true);
    packNibbles(dst, at + 6, codes);
  }),
};
