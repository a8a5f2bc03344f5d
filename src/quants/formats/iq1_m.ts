/** IQ1_M: 16 sub-blocks of 16 weights `d * (2 scale + 1) * (point + shift)`; a shift of +-1/8 for every 8 weights. */
import { f16ToF32 } from '../../core/index.ts';
import { iq1Grid } from '../codebooks.ts';
import { perBlock, type RowEncoder, type TensorFormat, viewOf } from '../format.ts';
import { type Iq1Layout, iq1Tables, searchIq1 } from '../iq1-search.ts';

const LAYOUT: Iq1Layout = { points: 2, pointsAShift: 1 };
const BYTES = 56;

const encode: RowEncoder = (src, dst, importance, effort) => {
  const view = viewOf(dst);
  searchIq1(LAYOUT, src, importance, effort, (block, { d, multiples, points, shifts }) => {
    const at = block * BYTES;
    points.forEach((point, g) => {
      view.setUint8(at + g, point & 255);
    });
    for (let pair = 0; pair < 16; pair++) {
      const nibble = (g: number) => (points[g] >> 8) | (shifts[g] << 3);
      view.setUint8(at + 32 + pair, nibble(2 * pair) | (nibble(2 * pair + 1) << 4));
    }
    for (let k = 0; k < 4; k++) {
      const scales = multiples.subarray(4 * k, 4 * k + 4);
      const bits = scales[0] | (scales[1] << 3) | (scales[2] << 6) | (scales[3] << 9);
      view.setUint16(at + 48 + 2 * k, bits | (((d >> (4 * k)) & 15) << 12), true);
    }
  });
};

export const IQ1_M: TensorFormat = {
  name: 'IQ1_M',
  id: 29,
  blockSize: 256,
  blockBytes: BYTES,
  kind: 'quantized',
  layout:
    'qs[32] (low index bits), qh[16] (3 high index bits and shift sign each), scales u16[4] (4 x 3-bit scale, 4 bits of d)',
  decode: perBlock(BYTES, 256, (view, at, dst, out) => {
    const s = [0, 1, 2, 3].map((k) => view.getUint16(at + 48 + 2 * k, true));
    const d = f16ToF32((s[0] >> 12) | ((s[1] >> 8) & 0xf0) | ((s[2] >> 4) & 0xf00) | (s[3] & 0xf000));
    const grid = iq1Grid().values;
    for (let g = 0; g < 32; g++) {
      const high = (view.getUint8(at + 32 + (g >> 1)) >> (4 * (g & 1))) & 15;
      const point = 8 * (view.getUint8(at + g) | ((high & 7) << 8));
      const sub = g >> 1;
      const scale = Math.fround(d * (2 * ((s[sub >> 2] >> (3 * (sub & 3))) & 7) + 1));
      const shift = high & 8 ? -0.125 : 0.125;
      for (let k = 0; k < 8; k++) dst[out + 8 * g + k] = scale * (grid[point + k] + shift);
    }
  }),
  encode,
  kernel: 'iq1_m',
  plane: { group: 256, mins: false },
  kernelTables: iq1Tables,
  requiresImportance: true,
};
