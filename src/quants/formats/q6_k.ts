/** Q6_K: 16 sub-blocks of 16 weights `d * scale * (q - 32)` with 6-bit q and 8-bit signed scale. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSuper, readBlock, type SuperSearch, uniformGrid } from '../symmetric.ts';

const GRID = uniformGrid(-32, 31);
const SEARCH: ByEffort<SuperSearch> = {
  fast: {
    starts: 8,
    reach: 0.96,
    ratio: 1.03,
    rounds: 1,
    window: 4,
    tries: 1,
    spread: 0,
    refits: 1,
    polish: 16,
  },
  best: {
    starts: 8,
    reach: 0.95,
    ratio: 1.03,
    rounds: 2,
    window: 4,
    tries: 4,
    spread: 0.02,
    refits: 2,
    polish: 64,
  },
};

export const Q6_K: TensorFormat = {
  name: 'Q6_K',
  id: 14,
  blockSize: 256,
  blockBytes: 210,
  kind: 'quantized',
  kernel: 'q6_k',
  plane: { group: 256, mins: false },
  layout: 'ql[128], qh[64], scales int8[16], d f16',
  decode: perBlock(210, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 208, true));
    for (let i = 0; i < 256; i++) {
      const half = i >> 7;
      const column = (i & 127) >> 5;
      const lane = i & 31;
      const low = (view.getUint8(at + 64 * half + 32 * (column & 1) + lane) >> (4 * (column >> 1))) & 15;
      const high = (view.getUint8(at + 128 + 32 * half + lane) >> (2 * column)) & 3;
      const scale = Math.fround(d * view.getInt8(at + 192 + (i >> 4)));
      dst[out + i] = scale * ((low | (high << 4)) - 32);
    }
  }),
  encode: encodeBlocks(210, 256, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(256);
    const { d, scales } = encodeSuper(
      GRID,
      readBlock(src, importance, from, 256),
      16,
      [-128, 127],
      SEARCH[effort],
      codes,
    );
    dst.fill(0, at, at + 192);
    codes.forEach((code, i) => {
      const half = i >> 7;
      const column = (i & 127) >> 5;
      const lane = i & 31;
      dst[at + 64 * half + 32 * (column & 1) + lane] |= (code & 15) << (4 * (column >> 1));
      dst[at + 128 + 32 * half + lane] |= (code >> 4) << (2 * column);
    });
    scales.forEach((scale, sub) => {
      dst[at + 192 + sub] = scale;
    });
    viewOf(dst).setUint16(at + 208, d, true);
  }),
};
