/** IQ3_XXS: bytes that are indices of points of four weights; 28 sign bits and a scale for every 32. */
import { iq3xxsGrid } from '../../../quants/index.ts';
import { mem, plus } from '../x64/index.ts';
import {
  bytePlaces,
  eitherWay,
  fourOfFour,
  gridTable,
  joined,
  odd,
  scaledHalf,
  twice,
} from './grid-parts.ts';
import { IQ3_XXS_DOT } from './iq3-dot.ts';
import {
  codesOfDigits,
  inOrder,
  keepSpread,
  packedPoints,
  pointTables,
  spreadPoints,
  topBits,
} from './iq3-parts.ts';
import {
  evenSigns,
  keepSigns,
  parityMatrix,
  sevenBits,
  signedCode,
  turnByBits,
  turnByMemory,
  ZERO,
} from './sign-parts.ts';
import { defineUnpack } from './unpack.ts';

const AT = { points: 2, words: 66 } as const;

const signs = evenSigns((k, block, thirtyTwo, bits) =>
  sevenBits(k, bits, mem(block, AT.words + 4 * thirtyTwo)),
);

export const IQ3_XXS = defineUnpack({
  format: 'IQ3_XXS',
  blockBytes: 98,
  block: 256,
  offset: ZERO,
  most: ZERO + 62,
  scaled: 32,
  mostScale: 31,
  mins: false,
  header: (k, block) => {
    const d = scaledHalf(k, mem(block), 0.25);
    const scales = k.registers.ymm('scales');
    k.x.vmovdqu(scales, mem(block, AT.words));
    k.x.vpsrld(scales, scales, 27);
    odd(k, scales, 4);
    twice(k, scales);
    return { d, scales };
  },
  ...eitherWay(
    {
      setup: (k) => ({ grid: gridTable(k, iq3xxsGrid(), signedCode) }),
      codes: (k, block, i, target, { grid }) =>
        k.scope(() => {
          const index = k.gpr('index');
          const at = mem(block, AT.points + (i * target.bytes) / 4);
          joined(k, target, 16, (part, n) =>
            fourOfFour(k, part, bytePlaces(k, grid, plus(at, 4 * n), index, 4)),
          );
          signs(k, block, i, index);
          turnByBits(k, target, index);
        }),
    },
    {
      setup: (k) => ({ ...keepSpread(k, inOrder), ...keepSigns(k) }),
      share: (k, block, kept) => {
        const index = k.registers.zmm('index');
        k.x.vmovdqu8(index, mem(block, AT.points));
        const top = topBits(k, index);
        const shared = packedPoints(k, pointTables(k, iq3xxsGrid()), index, [top], kept);
        k.free(index, top);
        k.scope(() => {
          const bits = k.registers.ymm('bits');
          const fields = k.constant(
            Uint8Array.from({ length: 32 }, (_, i) => 32 * ((i >> 2) & 1) + 7 * (i & 3)),
          );
          k.x.vmovdqu(bits, fields);
          k.x.vpmultishiftqb(bits, bits, mem(block, AT.words));
          k.x.vgf2p8affineqb(bits, bits, parityMatrix(k, 0), 0);
          k.x.vmovdqu_store(mem(kept.signs), bits);
        });
        return shared;
      },
      codes: (k, _block, i, target, kept, shared) => {
        spreadPoints(k, codesOfDigits(k, iq3xxsGrid(), signedCode), i, target, kept, shared);
        turnByMemory(k, target, mem(kept.signs, 8 * i));
      },
    },
  ),
  dot: IQ3_XXS_DOT,
});
