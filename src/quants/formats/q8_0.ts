/** Q8_0: 32 weights `d * q` with 8-bit q. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSingle, readBlock, type ScaleSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-128, 127);
const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 4, reach: 0.995, ratio: 1.005, rounds: 1 },
  best: { starts: 16, reach: 0.985, ratio: 1.005, rounds: 2 },
};

export const Q8_0: TensorFormat = {
  name: 'Q8_0',
  id: 8,
  blockSize: 32,
  blockBytes: 34,
  kind: 'quantized',
  kernel: 'q8_0',
  plane: { group: 32, mins: false },
  layout: 'd f16, qs int8[32]',
  decode: perBlock(34, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 32; i++) dst[out + i] = d * view.getInt8(at + 2 + i);
  }),
  encode: encodeBlocks(34, 32, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(32);
    const d = encodeSingle(GRID, readBlock(src, importance, from, 32), SEARCH[effort], codes);
    viewOf(dst).setUint16(at, d, true);
    for (let i = 0; i < 32; i++) dst[at + 2 + i] = codes[i] - 128;
  }),
};
