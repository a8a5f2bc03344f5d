/** IQ3_S: indices of nine bits of points of four weights, all sign bits, and a scale for every 32 weights. */
import { iq3sGrid } from '../../../quants/index.ts';
import { mem } from '../x64/index.ts';
import {
  deposit,
  eight,
  eightNibbles,
  eitherWay,
  fourOfFour,
  gridTable,
  joined,
  packedPlaces,
  scaledHalf,
} from './grid-parts.ts';
import { IQ3_S_DOT } from './iq3-dot.ts';
import {
  codesOfDigits,
  inOrder,
  keepSpread,
  packedPoints,
  pointTables,
  spreadPoints,
  topBits,
} from './iq3-parts.ts';
import { freeSigns, signedCode, turnByBits, turnByMemory, ZERO } from './sign-parts.ts';
import { defineUnpack } from './unpack.ts';

const AT = { points: 2, high: 66, signs: 74, scales: 106 } as const;

const signs = freeSigns(AT.signs);

export const IQ3_S = defineUnpack({
  format: 'IQ3_S',
  blockBytes: 110,
  block: 256,
  offset: ZERO,
  most: ZERO + 15,
  scaled: 32,
  mostScale: 31,
  mins: false,
  header: (k, block) => ({
    d: scaledHalf(k, mem(block), 1),
    scales: eightNibbles(k, mem(block, AT.scales)),
  }),
  ...eitherWay(
    {
      setup: (k) => ({ grid: gridTable(k, iq3sGrid(), signedCode) }),
      codes: (k, block, i, target, { grid }) =>
        k.scope(() => {
          const index = k.gpr('index');
          const packed = k.gpr('packed');
          joined(k, target, 16, (part, n) => {
            const four = (i * target.bytes) / 16 + n;
            k.x.load8(index, mem(block, AT.high + (four >> 1)));
            if (four & 1) k.x.shr(index, 4);
            k.x.load32(packed, mem(block, AT.points + 4 * four));
            deposit(k, packed, eight(k, 255, 0), index, eight(k, 0, 1));
            fourOfFour(k, part, packedPlaces(k, grid, packed, index, 4));
          });
          signs(k, block, i, index);
          turnByBits(k, target, index);
        }),
    },
    {
      setup: (k) => keepSpread(k, inOrder),
      share: (k, block, kept) => {
        const index = k.registers.zmm('index');
        k.x.vmovdqu8(index, mem(block, AT.points));
        const top = topBits(k, index);
        const ninth = k.registers.mask('ninth bits');
        k.x.kmovq(ninth, mem(block, AT.high));
        const shared = packedPoints(k, pointTables(k, iq3sGrid()), index, [top, ninth], kept);
        k.free(index, top, ninth);
        return shared;
      },
      codes: (k, block, i, target, kept, shared) => {
        spreadPoints(k, codesOfDigits(k, iq3sGrid(), signedCode), i, target, kept, shared);
        turnByMemory(k, target, mem(block, AT.signs + 8 * i));
      },
    },
  ),
  dot: IQ3_S_DOT,
});
