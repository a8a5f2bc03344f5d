/** IQ4_NL: 32 weights `d * value[q]` with 16 unevenly spaced values. */
import { f16ToF32 } from '../../core/index.ts';
import { IQ4_VALUES } from '../codebooks.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { packNibbles } from '../nibbles.ts';
import { type ByEffort, encodeSingle, IQ4_GRID, readBlock, type ScaleSearch } from '../symmetric.ts';

const SEARCH: ByEffort<ScaleSearch> = {
  fast: { starts: 8, reach: 0.88, ratio: 1.06, rounds: 3 },
  best: { starts: 32, reach: 0.8, ratio: 1.05, rounds: 3 },
};

export const IQ4_NL: TensorFormat = {
  name: 'IQ4_NL',
  id: 20,
  blockSize: 32,
  blockBytes: 18,
  kind: 'quantized',
  kernel: 'iq4_nl',
  plane: { group: 32, mins: false },
  layout: 'd f16, qs[16]; low nibbles are weights 0..15, high ones 16..31',
  decode: perBlock(18, 32, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    for (let i = 0; i < 16; i++) {
      const q = view.getUint8(at + 2 + i);
      dst[out + i] = d * IQ4_VALUES[q & 15];
      dst[out + 16 + i] = d * IQ4_VALUES[q >> 4];
    }
  }),
  encode: encodeBlocks(18, 32, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(32);
    const d = encodeSingle(IQ4_GRID, readBlock(src, importance, from, 32), SEARCH[effort], codes);
    viewOf(dst).setUint16(at, d, true);
    packNibbles(dst, at + 2, codes);
  }),
};
