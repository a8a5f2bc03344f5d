/** Q2_0: 64 weights `d * (q - 1)` with 2-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-1, 2);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 0.9, ratio: 1.3, rounds: 3 },
  best: { starts: 16, reach: 0.8, ratio: 1.1, rounds: 4 },
};

export const Q2_0: TensorFormat = {
  name: 'Q2_0',
  id: 42,
  blockSize: 64,
  blockBytes: 18,
  kind: 'quantized',
  kernel: 'q2_0',
  plane: { group: 32, mins: false },
  layout: 'd f16, qs[16], lowest 2-bit field first',
  decode: perBlock(18, 64, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 64; i++) {
      dst[out + i] = (((view.getUint8(at + 2 + (i >> 2)) >> (2 * (i & 3))) & 3) - 1) * d;
    }
  }),
  encode: encodeBlocks(18, 64, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(64);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 64), SEARCH[effort], codes);
    const view = viewOf(dst);
    view.setUint16(at, d, true);
    dst.fill(0, at + 2, at + 18);
    codes.forEach((code, i) => {
      dst[at + 2 + (i >> 2)] |= code << (2 * (i & 3));
    });
  }),
};
