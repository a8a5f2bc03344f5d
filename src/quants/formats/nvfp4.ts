/** NVFP4: 64 FP4 (E2M1) weights, 16 at a time with an unsigned E4M3 scale. */
import { FP4_DOUBLED } from '../codebooks.ts';
import { encodeBlocks, perBlock, type TensorFormat } from '../format.ts';
import { bestScale, FP4_GRID, readBlock } from '../symmetric.ts';

/** Value of an unsigned E4M3 byte (exponent bias 7); 0 and 0x7F read as 0. */
function ue4m3(byte: number): number {
  if (byte === 0 || byte === 0x7f) return 0;
  const exponent = (byte >> 3) & 15;
  const mantissa = byte & 7;
  return exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
}

/** Half the values of the bytes, ascending: what a unit of doubled FP4 is worth. */
const UNITS = Array.from({ length: 127 }, (_, byte) => ue4m3(byte) / 2);
/** Scale bytes tried: from 2 above the least that reaches the largest weight to 5 below. */
const [ABOVE, TRIED] = [2, 8];

export const NVFP4: TensorFormat = {
  name: 'NVFP4',
  id: 40,
  blockSize: 64,
  blockBytes: 36,
  kind: 'quantized',
  kernel: 'nvfp4',
  plane: { group: 16, mins: false },
  layout:
    'd[4] UE4M3 (one per 16 weights), qs[32] FP4; of each 8 bytes the low nibbles are the first 8 weights',
  decode: perBlock(36, 64, (view, at, dst, out) => {
    for (let sub = 0; sub < 4; sub++) {
      const scale = ue4m3(view.getUint8(at + sub)) / 2;
      for (let i = 0; i < 8; i++) {
        const q = view.getUint8(at + 4 + 8 * sub + i);
        dst[out + 16 * sub + i] = scale * FP4_DOUBLED[q & 15];
        dst[out + 16 * sub + 8 + i] = scale * FP4_DOUBLED[q >> 4];
      }
    }
  }),
  encode: encodeBlocks(36, 64, (src, importance, from, dst, at) => {
    const codes = new Uint8Array(16);
    const block = readBlock(src, importance, from, 64);
    for (let sub = 0; sub < 4; sub++) {
      const x = block.x.subarray(16 * sub, 16 * sub + 16);
      const w = block.w.subarray(16 * sub, 16 * sub + 16);
      const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const reaching = UNITS.findIndex((unit) => 12 * unit >= largest);
      const first = Math.min((reaching < 0 ? 126 : reaching) + ABOVE, 126);
      const bytes = Array.from({ length: TRIED }, (_, k) => Math.max(first - k, 0));
      const units = bytes.map((byte) => UNITS[byte]);
      const scale = bestScale(FP4_GRID, { x, w }, units, 1, (s) => s, codes);
      dst[at + sub] = scale === 0 ? 0 : UNITS.indexOf(scale);
      for (let i = 0; i < 8; i++) dst[at + 4 + 8 * sub + i] = codes[i] | (codes[i + 8] << 4);
    }
  }),
};
