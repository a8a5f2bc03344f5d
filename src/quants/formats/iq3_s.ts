/** IQ3_S: 8 sub-blocks of 32 weights; 4 weights at a time are a point of a 512-point grid, with free signs. */
import { f16ToF32 } from '../../core/index.ts';
import { type CodebookBlock, codebookEncoder } from '../codebook-search.ts';
import { codebookTables } from '../codebook-tables.ts';
import { iq3sGrid } from '../codebooks.ts';
import { perBlock, type TensorFormat } from '../format.ts';

function pack(view: DataView, at: number, { points, signs, scales }: CodebookBlock): void {
  for (let sub = 0; sub < 8; sub++) {
    let high = 0;
    for (let l = 0; l < 8; l++) {
      view.setUint8(at + 2 + 8 * sub + l, points[8 * sub + l] & 255);
      high |= (points[8 * sub + l] >> 8) << l;
    }
    view.setUint8(at + 66 + sub, high);
    for (let l = 0; l < 4; l++) {
      view.setUint8(at + 74 + 4 * sub + l, signs[8 * sub + 2 * l] | (signs[8 * sub + 2 * l + 1] << 4));
    }
  }
  for (let i = 0; i < 4; i++) view.setUint8(at + 106 + i, scales[2 * i] | (scales[2 * i + 1] << 4));
}

export const IQ3_S: TensorFormat = {
  name: 'IQ3_S',
  id: 21,
  blockSize: 256,
  blockBytes: 110,
  kind: 'quantized',
  layout:
    'd f16, qs[64] (low index bits), qh[8] (high index bit each), signs[32], scales[4] (4 bits per 32 weights)',
  decode: perBlock(110, 256, (view, at, dst, out) => {
    const d = f16ToF32(view.getUint16(at, true));
    const grid = iq3sGrid().values;
    for (let sub = 0; sub < 8; sub++) {
      const nibble = (view.getUint8(at + 106 + (sub >> 1)) >> (4 * (sub & 1))) & 15;
      const scale = Math.fround(d * (1 + 2 * nibble));
      for (let i = 0; i < 32; i++) {
        const g = 8 * sub + (i >> 2);
        const high = (view.getUint8(at + 66 + sub) >> (g & 7)) & 1;
        const value = scale * grid[4 * (view.getUint8(at + 2 + g) | (high << 8)) + (i & 3)];
        dst[out + 32 * sub + i] =
          (view.getUint8(at + 74 + 4 * sub + (i >> 3)) >> (i & 7)) & 1 ? -value : value;
      }
    }
  }),
  encode: codebookEncoder({
    book: iq3sGrid,
    signs: 'free',
    groupsPerScale: 8,
    unit: 1,
    center: 0.111,
    blockBytes: 110,
    pack,
  }),
  kernel: 'iq3_s',
  plane: { group: 256, mins: false },
  kernelTables: () => codebookTables(iq3sGrid()),
};
