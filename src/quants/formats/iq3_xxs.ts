/** IQ3_XXS: 8 sub-blocks of 32 weights; 4 weights at a time are a point of a 256-point grid; signs of 8 have even parity. */
import { f16ToF32 } from '../../core/index.ts';
import { type CodebookBlock, codebookEncoder } from '../codebook-search.ts';
import { codebookTables } from '../codebook-tables.ts';
import { iq3xxsGrid, signMask } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

function pack(view: DataView, at: number, { points, signs, scales }: CodebookBlock): void {
  for (let g = 0; g < 64; g++) view.setUint8(at + 2 + g, points[g]);
  for (let sub = 0; sub < 8; sub++) {
    let word = scales[sub] << 28;
    for (let l = 0; l < 4; l++) {
      const g = 8 * sub + 2 * l;
      word |= ((signs[g] | (signs[g + 1] << 4)) & 127) << (7 * l);
    }
    view.setUint32(at + 66 + 4 * sub, word >>> 0, true);
  }
}

export const IQ3_XXS: TensorFormat = {
  name: 'IQ3_XXS',
  id: 18,
  blockSize: 256,
  blockBytes: 98,
  kind: 'quantized',
  layout: 'd f16, qs[64] (grid indices), u32[8]: 4 x 7 sign bits, 4-bit scale',
  decode: perBlock(98, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq3xxsGrid().values;
    for (let sub = 0; sub < 8; sub++) {
      const packed = view.getUint32(at + 66 + 4 * sub, true);
      const scale = Math.fround(Math.fround(d * (0.5 + (packed >>> 28))) * 0.5);
      for (let i = 0; i < 32; i++) {
        const signs = signMask((packed >>> (7 * (i >> 3))) & 127);
        const value = scale * grid[4 * view.getUint8(at + 2 + 8 * sub + (i >> 2)) + (i & 3)];
        dst[out + 32 * sub + i] = (signs >> (i & 7)) & 1 ? -value : value;
      }
    }
  }),
  encode: codebookEncoder({
    book: iq3xxsGrid,
    signs: 'pair',
    groupsPerScale: 8,
    unit: 0.25,
    center: 0.0267,
    blockBytes: 98,
    pack,
  }),
  kernel: 'iq3_xxs',
  plane: { group: 256, mins: false },
  kernelTables: () => codebookTables(iq3xxsGrid()),
  requiresImportance: true,
};
