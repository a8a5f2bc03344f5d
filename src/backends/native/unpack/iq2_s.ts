/** IQ2_S: indices of ten bits of points of eight weights, all sign bits, and a scale for every 16 weights. */
import { iq2sGrid } from '../../../quants/index.ts';
import { mem } from '../x64/index.ts';
import {
  deposit,
  eight,
  fourOfEight,
  gridTable,
  joined,
  packedPlaces,
  scaledHalf,
  sixteenNibbles,
} from './grid-parts.ts';
import { IQ2_S_DOT } from './iq2-dot.ts';
import { signedCode, turnByBits, turnByMemory, ZERO } from './sign-parts.ts';
import { defineUnpack } from './unpack.ts';

const AT = { points: 2, signs: 34, high: 66, scales: 74 } as const;

export const IQ2_S = defineUnpack({
  format: 'IQ2_S',
  blockBytes: 82,
  block: 256,
  offset: ZERO,
  most: ZERO + 43,
  scaled: 16,
  mostScale: 31,
  mins: false,
  setup: (k) => ({ grid: gridTable(k, iq2sGrid(), signedCode) }),
  header: (k, block) => ({
    d: scaledHalf(k, mem(block), 0.125),
    scales: sixteenNibbles(k, mem(block, AT.scales)),
  }),
  codes: (k, block, i, target, { grid }) =>
    k.scope(() => {
      const index = k.gpr('index');
      const packed = k.gpr('packed');
      joined(k, target, 32, (part, n) => {
        const four = (i * target.bytes) / 32 + n;
        k.x.load8(index, mem(block, AT.high + four));
        k.x.load32(packed, mem(block, AT.points + 4 * four));
        deposit(k, packed, eight(k, 255, 0), index, eight(k, 0, 3));
        fourOfEight(k, part, packedPlaces(k, grid, packed, index, 8));
      });
      const at = mem(block, AT.signs + (i * target.bytes) / 8);
      if (k.level.avx512) turnByMemory(k, target, at);
      else {
        k.x.load32(index, at);
        turnByBits(k, target, index);
      }
    }),
  dot: IQ2_S_DOT,
});
