/** IQ2_XXS: for every 32 weights four indices of points of eight weights, 28 sign bits and a scale. */
import { iq2xxsGrid } from '../../../quants/index.ts';
import { mem, ymm } from '../x64/index.ts';
import {
  bytePlaces,
  eitherWay,
  fourOfEight,
  gridTable,
  joined,
  odd,
  places,
  pointTable,
  scaledHalf,
  twice,
} from './grid-parts.ts';
import { IQ2_XXS_DOT } from './iq2-dot.ts';
import { codesOfPairs, keepDigits, packedWords, pointOfWord, spreadWords } from './iq2-parts.ts';
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

/** Where the first part of 8 bytes begins: four indices, then the dword of signs and scale. */
const PARTS = 2;

const signs = evenSigns((k, block, part, bits) => sevenBits(k, bits, mem(block, PARTS + 8 * part + 4)));

export const IQ2_XXS = defineUnpack({
  format: 'IQ2_XXS',
  blockBytes: 66,
  block: 256,
  offset: ZERO,
  most: ZERO + 43,
  scaled: 32,
  mostScale: 31,
  mins: false,
  header: (k, block) => {
    const d = scaledHalf(k, mem(block), 0.125);
    const scales = k.registers.ymm('scales');
    // The upper dwords of all parts: each half of a vector for itself, then in order.
    k.x.vmovdqu(scales, mem(block, PARTS));
    k.x.vshufps(scales, scales, mem(block, PARTS + 32), 0xdd);
    k.x.vpermq(scales, scales, 0xd8);
    k.x.vpsrld(scales, scales, 27);
    odd(k, scales, 4);
    twice(k, scales);
    return { d, scales };
  },
  ...eitherWay(
    {
      setup: (k) => ({ grid: gridTable(k, iq2xxsGrid(), signedCode) }),
      codes: (k, block, i, target, { grid }) =>
        k.scope(() => {
          const index = k.gpr('index');
          joined(k, target, 32, (part, n) => {
            const at = mem(block, PARTS + 8 * ((i * target.bytes) / 32 + n));
            fourOfEight(k, part, bytePlaces(k, grid, at, index, 8));
          });
          signs(k, block, i, index);
          turnByBits(k, target, index);
        }),
    },
    {
      setup: (k) => ({ ...keepDigits(k), ...keepSigns(k) }),
      share: (k, block, kept) => {
        const byteOfPoint = (point: number) => 8 * (point >> 2) + (point & 3);
        const index = k.registers.zmm('index');
        // The upper bytes of words do not matter.
        k.x.vmovdqu8(
          index,
          places(k, (place) => byteOfPoint(pointOfWord(place >> 1))),
        );
        k.x.vpermb(index, index, mem(block, PARTS));
        const shared = packedWords(k, pointTable(k, iq2xxsGrid().packed), index);
        const fields = places(k, (place) => 32 + 7 * (place & 3));
        const order = places(k, (place) => 8 * ((place >> 2) & 7) + (place & 3));
        k.scope(() => {
          const bits = k.registers.zmm('bits');
          k.x.vmovdqu8(bits, fields);
          k.x.vpmultishiftqb(bits, bits, mem(block, PARTS));
          k.x.vmovdqu8(index, order);
          k.x.vpermb(bits, index, bits);
          k.x.vgf2p8affineqb(ymm(bits), ymm(bits), parityMatrix(k, 0), 0);
          k.x.vmovdqu_store(mem(kept.signs), ymm(bits));
        });
        k.free(index);
        return shared;
      },
      codes: (k, _block, i, target, kept, shared) => {
        spreadWords(k, codesOfPairs(k, iq2xxsGrid(), signedCode), i, target, kept, shared);
        turnByMemory(k, target, mem(kept.signs, 8 * i));
      },
    },
  ),
  dot: IQ2_XXS_DOT,
});
