/** IQ2_S: 16 sub-blocks of 16 weights; 8 weights at a time are a point of a 1024-point grid, with 8 free signs. */
import { f16ToF32 } from '../../core/index.ts';
import { type CodebookBlock, codebookEncoder } from '../codebook-search.ts';
import { codebookTables } from '../codebook-tables.ts';
import { iq2sGrid } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

function pack(view: DataView, at: number, { points, signs, scales }: CodebookBlock): void {
  for (let i = 0; i < 8; i++) {
    let high = 0;
    for (let g = 4 * i; g < 4 * i + 4; g++) {
      view.setUint8(at + 2 + g, points[g] & 255);
      view.setUint8(at + 34 + g, signs[g]);
      high |= (points[g] >> 8) << (2 * (g & 3));
    }
    view.setUint8(at + 66 + i, high);
    view.setUint8(at + 74 + i, scales[2 * i] | (scales[2 * i + 1] << 4));
  }
}

export const IQ2_S: TensorFormat = {
  name: 'IQ2_S',
  id: 22,
  blockSize: 256,
  blockBytes: 82,
  kind: 'quantized',
  layout:
    'd f16, qs[32] (low index bits), signs[32], qh[8] (2 high index bits each), scales[8] (4 bits per 16 weights)',
  decode: perBlock(82, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq2sGrid().values;
    for (let g = 0; g < 32; g++) {
      const nibble = (view.getUint8(at + 74 + (g >> 2)) >> (4 * ((g >> 1) & 1))) & 15;
      const scale = Math.fround(Math.fround(d * (0.5 + nibble)) * 0.25);
      const high = (view.getUint8(at + 66 + (g >> 2)) >> (2 * (g & 3))) & 3;
      const point = 8 * (view.getUint8(at + 2 + g) | (high << 8));
      const signs = view.getUint8(at + 34 + g);
      for (let k = 0; k < 8; k++) {
        const value = scale * grid[point + k];
        dst[out + 8 * g + k] = (signs >> k) & 1 ? -value : value;
      }
    }
  }),
  encode: codebookEncoder({
    book: iq2sGrid,
    signs: 'free',
    groupsPerScale: 2,
    unit: 0.125,
    center: 0.0302,
    blockBytes: 82,
    pack,
  }),
  kernel: 'iq2_s',
  plane: { group: 256, mins: false },
  kernelTables: () => codebookTables(iq2sGrid()),
  requiresImportance: true,
};
