/** IQ2_XXS: 8 sub-blocks of 32 weights; 8 weights at a time are a point of a 256-point grid, with signs of even parity. */
import { f16ToF32 } from '../../core/index.ts';
import { type CodebookBlock, codebookEncoder } from '../codebook-search.ts';
import { codebookTables } from '../codebook-tables.ts';
import { iq2xxsGrid, signMask } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

function pack(view: DataView, at: number, { points, signs, scales }: CodebookBlock): void {
  for (let sub = 0; sub < 8; sub++) {
    let word = scales[sub] << 28;
    for (let g = 0; g < 4; g++) {
      view.setUint8(at + 2 + 8 * sub + g, points[4 * sub + g]);
      word |= (signs[4 * sub + g] & 127) << (7 * g);
    }
    view.setUint32(at + 6 + 8 * sub, word >>> 0, true);
  }
}

export const IQ2_XXS: TensorFormat = {
  name: 'IQ2_XXS',
  id: 16,
  blockSize: 256,
  blockBytes: 66,
  kind: 'quantized',
  layout: 'd f16, 8 x (4 grid indices, u32: 4 x 7 sign bits, 4-bit scale)',
  decode: perBlock(66, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq2xxsGrid().values;
    for (let sub = 0; sub < 8; sub++) {
      const packed = view.getUint32(at + 2 + 8 * sub + 4, true);
      const scale = Math.fround(Math.fround(d * (0.5 + (packed >>> 28))) * 0.25);
      for (let g = 0; g < 4; g++) {
        const point = 8 * view.getUint8(at + 2 + 8 * sub + g);
        const signs = signMask((packed >>> (7 * g)) & 127);
        for (let k = 0; k < 8; k++) {
          const value = scale * grid[point + k];
          dst[out + 32 * sub + 8 * g + k] = (signs >> k) & 1 ? -value : value;
        }
      }
    }
  }),
  encode: codebookEncoder({
    book: iq2xxsGrid,
    signs: 'group',
    groupsPerScale: 4,
    unit: 0.125,
    center: 0.0305,
    blockBytes: 66,
    pack,
  }),
  kernel: 'iq2_xxs',
  plane: { group: 256, mins: false },
  kernelTables: () => codebookTables(iq2xxsGrid()),
  requiresImportance: true,
};
