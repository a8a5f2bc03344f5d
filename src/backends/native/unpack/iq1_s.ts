/**
 * IQ1_S: indices of eleven bits of points of eight weights -1, 0 or 1, a scale for every 32 weights, and a shift of them all
 * by an eighth up or down. Codes are the weights + 1; the mins take that off again, with the shift, in eighths.
 */
import { iq1Grid } from '../../../quants/index.ts';
import { mem, xmm } from '../x64/index.ts';
import {
  deposit,
  eight,
  fourOfEight,
  gridTable,
  joined,
  packedPlaces,
  scaledHalf,
  twice,
} from './grid-parts.ts';
import { IQ1_S_DOT } from './iq1-dot.ts';
import { defineUnpack } from './unpack.ts';

const AT = { points: 2, high: 34 } as const;

export const IQ1_S = defineUnpack({
  format: 'IQ1_S',
  blockBytes: 50,
  block: 256,
  offset: 0,
  most: 2,
  scaled: 32,
  mostScale: 15,
  mins: true,
  setup: (k) => ({ grid: gridTable(k, iq1Grid(), (value) => value + 1) }),
  header: (k, block) => {
    const d = scaledHalf(k, mem(block), 1);
    const dmin = scaledHalf(k, mem(block), 0.125);
    const scales = k.registers.ymm('scales');
    const mins = k.registers.ymm('mins');
    const words = (value: number) => k.constant(new Uint8Array(new Int16Array(8).fill(value).buffer));
    // Bits 12 to 14 are the scale; bit 15 is set where the shift is down: 9 eighths to take off instead of 7.
    k.x.vmovdqu(xmm(mins), mem(block, AT.high));
    k.x.vpsrlw(xmm(scales), xmm(mins), 11);
    k.x.vpand(xmm(scales), xmm(scales), words(14));
    k.x.vpor(xmm(scales), xmm(scales), words(1));
    k.x.vpsrlw(xmm(mins), xmm(mins), 15);
    k.x.vpaddw(xmm(mins), xmm(mins), xmm(mins));
    k.x.vpaddw(xmm(mins), xmm(mins), words(7));
    k.x.vpmullw(xmm(mins), xmm(mins), xmm(scales));
    for (const parts of [scales, mins]) {
      k.x.vpmovzxwd(parts, xmm(parts));
      twice(k, parts);
    }
    return { d, dmin, scales, mins };
  },
  codes: (k, block, i, target, { grid }) =>
    k.scope(() => {
      const index = k.gpr('index');
      const packed = k.gpr('packed');
      joined(k, target, 32, (part, n) => {
        const four = (i * target.bytes) / 32 + n;
        k.x.load16(index, mem(block, AT.high + 2 * four));
        k.x.load32(packed, mem(block, AT.points + 4 * four));
        deposit(k, packed, eight(k, 255, 0), index, eight(k, 0, 7));
        fourOfEight(k, part, packedPlaces(k, grid, packed, index, 8));
      });
    }),
  dot: IQ1_S_DOT,
});
