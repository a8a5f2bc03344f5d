/** TQ2_0: 256 weights `d * (q - 1)` with 2-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-1, 1);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 1.5, ratio: 1.4, rounds: 2 },
  best: { starts: 16, reach: 1, ratio: 1.15, rounds: 4 },
};

export const TQ2_0: TensorFormat = {
  name: 'TQ2_0',
  id: 35,
  blockSize: 256,
  blockBytes: 66,
  kind: 'quantized',
  kernel: 'tq2_0',
  plane: { group: 256, mins: false },
  layout: 'qs[64], d f16; per 32 bytes: the lowest 2-bit field of each, then the next',
  decode: perBlock(66, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 64, true));
    for (let i = 0; i < 256; i++) {
      const q = (view.getUint8(at + 32 * (i >> 7) + (i & 31)) >> (2 * ((i & 127) >> 5))) & 3;
      dst[out + i] = (q - 1) * d;
    }
  }),
  encode: encodeBlocks(66, 256, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(256);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 256), SEARCH[effort], codes);
    dst.fill(0, at, at + 64);
    codes.forEach((code, i) => {
      dst[at + 32 * (i >> 7) + (i & 31)] |= code << (2 * ((i & 127) >> 5));
    });
    viewOf(dst).setUint16(at + 64, d, true);
  }),
};
