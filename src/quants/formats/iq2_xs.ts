/** IQ2_XS: 16 sub-blocks of 16 weights; 8 weights at a time are a point of a 512-point grid, with signs of even parity. */
import { f16ToF32 } from '../../core/index.ts';
import { type CodebookBlock, codebookEncoder } from '../codebook-search.ts';
import { codebookTables } from '../codebook-tables.ts';
import { iq2xsGrid, signMask } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

function pack(view: DataView, at: number, { points, signs, scales }: CodebookBlock): void {
  for (let g = 0; g < 32; g++) view.setUint16(at + 2 + 2 * g, points[g] | ((signs[g] & 127) << 9), true);
  for (let i = 0; i < 8; i++) view.setUint8(at + 66 + i, scales[2 * i] | (scales[2 * i + 1] << 4));
}

export const IQ2_XS: TensorFormat = {
  name: 'IQ2_XS',
  id: 17,
  blockSize: 256,
  blockBytes: 74,
  kind: 'quantized',
  layout: 'd f16, qs u16[32] (9-bit grid index, 7 sign bits), scales[8] (4 bits per 16 weights)',
  decode: perBlock(74, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq2xsGrid().values;
    for (let g = 0; g < 32; g++) {
      const nibble = (view.getUint8(at + 66 + (g >> 2)) >> (4 * ((g >> 1) & 1))) & 15;
      const scale = Math.fround(Math.fround(d * (0.5 + nibble)) * 0.25);
      const word = view.getUint16(at + 2 + 2 * g, true);
      const signs = signMask(word >> 9);
      for (let k = 0; k < 8; k++) {
        const value = scale * grid[8 * (word & 511) + k];
        dst[out + 8 * g + k] = (signs >> k) & 1 ? -value : value;
      }
    }
  }),
  encode: codebookEncoder({
    book: iq2xsGrid,
    signs: 'group',
    groupsPerScale: 2,
    unit: 0.125,
    center: 0.0305,
    blockBytes: 74,
    pack,
  }),
  kernel: 'iq2_xs',
  plane: { group: 256, mins: false },
  kernelTables: () => codebookTables(iq2xsGrid()),
  requiresImportance: true,
};
