/** IQ1_S: 8 sub-blocks of 32 weights `d * (2 scale + 1) * (point + shift)`; points of a 2048-point ternary grid, shift +-1/8. */
import { f16ToF32 } from '../../core/index.ts';
import { iq1Grid } from '../codebooks.ts';
import { perBlock, type RowEncoder, type TensorFormat, viewOf } from '../format.ts';
import { type Iq1Layout, iq1Tables, searchIq1 } from '../iq1-search.ts';

const LAYOUT: Iq1Layout = { points: 4, pointsAShift: 4 };
const BYTES = 50;

const encode: RowEncoder = (src, dst, importance, effort) => {
  const view = viewOf(dst);
  searchIq1(LAYOUT, src, importance, effort, (block, { d, multiples, points, shifts }) => {
    const at = block * BYTES;
    view.setUint16(at, d, true);
    points.forEach((point, g) => {
      view.setUint8(at + 2 + g, point & 255);
    });
    multiples.forEach((multiple, sub) => {
      let high = (multiple << 12) | (shifts[4 * sub] << 15);
      for (let g = 0; g < 4; g++) high |= (points[4 * sub + g] >> 8) << (3 * g);
      view.setUint16(at + 34 + 2 * sub, high, true);
    });
  });
};

export const IQ1_S: TensorFormat = {
  name: 'IQ1_S',
  id: 19,
  blockSize: 256,
  blockBytes: BYTES,
  kind: 'quantized',
  layout: 'd f16, qs[32] (low index bits), qh u16[8] (4 x 3 high index bits, 3-bit scale, shift sign)',
  decode: perBlock(BYTES, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq1Grid().values;
    for (let sub = 0; sub < 8; sub++) {
      const high = view.getUint16(at + 34 + 2 * sub, true);
      const scale = Math.fround(d * (2 * ((high >> 12) & 7) + 1));
      const shift = high & 0x8000 ? -0.125 : 0.125;
      for (let g = 0; g < 4; g++) {
        const point = 8 * (view.getUint8(at + 2 + 4 * sub + g) | (((high >> (3 * g)) & 7) << 8));
        for (let k = 0; k < 8; k++) dst[out + 32 * sub + 8 * g + k] = scale * (grid[point + k] + shift);
      }
    }
  }),
  encode,
  kernel: 'iq1_s',
  plane: { group: 256, mins: false },
  kernelTables: iq1Tables,
  requiresImportance: true,
};
