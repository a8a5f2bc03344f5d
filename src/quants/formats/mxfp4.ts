/** MXFP4: 32 FP4 (E2M1) weights with one power-of-two scale (OCP Microscaling). */
import { FP4_DOUBLED } from '../codebooks.ts';
import { encodeBlocks, perBlock, type TensorFormat } from '../format.ts';
import { packNibbles } from '../nibbles.ts';
import { type ByEffort, bestScale, FP4_GRID, readBlock } from '../symmetric.ts';

/** Scale bytes tried, from the one at which the largest weight is 4..8 units downwards. */
const TRIED: ByEffort<number> = { fast: 4, best: 8 };
/** Highest scale byte at which 12 units are finite. */
const HIGHEST = 252;

export const MXFP4: TensorFormat = {
  name: 'MXFP4',
  id: 39,
  blockSize: 32,
  blockBytes: 17,
  kind: 'quantized',
  kernel: 'mxfp4',
  plane: { group: 32, mins: false },
  layout: 'e u8 (power of two), qs[16] FP4; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(17, 32, (view, at, dst, out) => {
    const scale = 2 ** (view.getUint8(at) - 128);
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 1 + i);
      dst[out + i] = scale * FP4_DOUBLED[q & 15];
      dst[out + 16 + i] = scale * FP4_DOUBLED[q >> 4];
    }
  }),
  encode: encodeBlocks(17, 32, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(32);
    const block = readBlock(src, importance, from, 32, 2 ** 128);
    const largest = block.x.reduce((most, value) => Math.max(most, Math.abs(value)), 2 ** -126);
    const first = Math.min(Math.floor(Math.log2(largest)) + 126, HIGHEST);
    const scales = Array.from({ length: TRIED[effort] }, (_, k) => 2 ** (Math.max(first - k, 0) - 128));
    const scale = bestScale(FP4_GRID, block, scales, 1, (s) => s, codes);
    dst[at] = scale === 0 ? 0 : Math.log2(scale) + 128;
    packNibbles(dst, at + 1, codes);
  }),
};
