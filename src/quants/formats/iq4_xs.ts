/** IQ4_XS: 8 sub-blocks of 32 weights `d * scale * value[q]` with scale in -32..31 and the values of IQ4_NL. */
import { f16ToF32 } from '../../core/index.ts';
import { IQ4_VALUES } from '../codebooks.ts';
import { encodeBlocks, perBlock, type TensorFormat, viewOf } from '../format.ts';
import { packNibbles } from '../nibbles.ts';
import { type ByEffort, encodeSuper, IQ4_GRID, readBlock, type SuperSearch } from '../symmetric.ts';

const SEARCH: ByEffort<SuperSearch> = {
  fast: {
    starts: 4,
    reach: 0.9,
    ratio: 1.1,
    rounds: 2,
    window: 4,
    tries: 1,
    spread: 0,
    refits: 3,
    polish: 0,
  },
  best: {
    starts: 16,
    reach: 0.85,
    ratio: 1.08,
    rounds: 3,
    window: 4,
    tries: 5,
    spread: 0.04,
    refits: 3,
    polish: 8,
  },
};

export const IQ4_XS: TensorFormat = {
  name: 'IQ4_XS',
  id: 23,
  blockSize: 256,
  blockBytes: 136,
  kind: 'quantized',
  kernel: 'iq4_xs',
  plane: { group: 256, mins: false },
  layout: 'd f16, scales_h u16, scales_l[4], qs[128]',
  decode: perBlock(136, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const high = view.getUint16(at + 2, true);
    for (let sub = 0; sub < 8; sub++) {
      const low = (view.getUint8(at + 4 + (sub >> 1)) >> (4 * (sub & 1))) & 15;
      const scale = Math.fround(d * ((low | (((high >> (2 * sub)) & 3) << 4)) - 32));
      for (let i = 0; i < 16; i++) {
        const q = view.getUint8(at + 8 + 16 * sub + i);
        dst[out + 32 * sub + i] = scale * IQ4_VALUES[q & 15];
        dst[out + 32 * sub + 16 + i] = scale * IQ4_VALUES[q >> 4];
      }
    }
  }),
  encode: encodeBlocks(136, 256, (src, importance, from, dst, at, effort) => {
    const codes = new Uint8Array(256);
    const { d, scales } = encodeSuper(
      IQ4_GRID,
      readBlock(src, importance, from, 256),
      32,
      [-32, 31],
      SEARCH[effort],
      codes,
    );
    const view = viewOf(dst);
    view.setUint16(at, d, true);
    let high = 0;
    dst.fill(0, at + 4, at + 8);
    scales.forEach((scale, sub) => {
      dst[at + 4 + (sub >> 1)] |= ((scale + 32) & 15) << (4 * (sub & 1));
      high |= ((scale + 32) >> 4) << (2 * sub);
      packNibbles(dst, at + 8 + 16 * sub, codes, 32 * sub);
    });
    view.setUint16(at + 2, high, true);
  }),
};
