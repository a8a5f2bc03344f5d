/** Q3_K: 16 sub-blocks of 16 weights `d * scale * q` with q in -4..3 and scale in -32..31. */
import { f16ToF32 } from '../../core/index.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { type ByEffort, encodeSuper, readBlock, type SuperSearch, uniformGrid } from '../symmetric.ts';

/** Scale of sub-block `sub`, -32..31, from the 12 packed bytes at `at`. */
function q3kScale(view: DataView, at: number, sub: number): number {
  const low = sub < 8 ? view.getUint8(at + sub) & 15 : view.getUint8(at + sub - 8) >> 4;
  const high = (view.getUint8(at + 8 + (sub & 3)) >> (2 * (sub >> 2))) & 3;
  return (low | (high << 4)) - 32;
}

const GRID = uniformGrid(-4, 3);
const SEARCH: ByEffort<SuperSearch> = {
  fast: {
    starts: 8,
    reach: 0.85,
    ratio: 1.18,
    rounds: 1,
    window: 4,
    tries: 1,
    spread: 0,
    refits: 3,
    polish: 0,
  },
  best: {
    starts: 16,
    reach: 0.8,
    ratio: 1.12,
    rounds: 2,
    window: 4,
    tries: 5,
    spread: 0.03,
    refits: 3,
    polish: 0,
  },
};

/** Packs scales -32..31 into the 12 bytes at `at`. */
function packScales(dst: Uint8Array, at: number, scales: readonly number[]): void {
  dst.fill(0, at, at + 12);
  scales.forEach((scale, sub) => {
    dst[at + (sub & 7)] |= ((scale + 32) & 15) << (sub < 8 ? 0 : 4);
    dst[at + 8 + (sub & 3)] |= ((scale + 32) >> 4) << (2 * (sub >> 2));
  });
}

export const Q3_K: TensorFormat = {
  name: 'Q3_K',
  id: 11,
  blockSize: 256,
  blockBytes: 110,
  kind: 'quantized',
  kernel: 'q3_k',
  plane: { group: 256, mins: false },
  layout: 'hmask[32], qs[64], scales[12] (6 bits each), d f16',
  decode: perBlock(110, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at + 108, true));
    for (let sub = 0; sub < 16; sub++) {
      const scale = Math.fround(d * q3kScale(view, at + 96, sub));
      const codes = at + 32 + 32 * (sub >> 3) + 16 * (sub & 1);
      const shift = 2 * ((sub & 7) >> 1);
      const high = at + 16 * (sub & 1);
      for (let i = 0; i < 16; i++) {
        const low = (view.getUint8(codes + i) >> shift) & 3;
        const set = (view.getUint8(high + i) >> (sub >> 1)) & 1;
        dst[out + 16 * sub + i] = scale * (low - (set ? 0 : 4));
      }
    }
  }),
  encode: encodeBlocks(110, 256, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(256);
    const { d, scales } = encodeSuper(
      GRID,
      readBlock(src, importance, from, 256),
      16,
      [-32, 31],
      SEARCH[effort],
      codes,
    );
    dst.fill(0, at, at + 96);
    codes.forEach((code, i) => {
      dst[at + (i & 31)] |= (code >> 2) << (i >> 5);
      dst[at + 32 + 32 * (i >> 7) + (i & 31)] |= (code & 3) << (2 * ((i & 127) >> 5));
    });
    packScales(dst, at + 96, scales);
    viewOf(dst).setUint16(at + 108, d, true);
  }),
};
