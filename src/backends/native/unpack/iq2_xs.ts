/** IQ2_XS: words of an index of nine bits of a point of eight weights and seven sign bits; a scale for every 16 weights. */
import { iq2xsGrid } from '../../../quants/index.ts';
import { mem, ymm } from '../x64/index.ts';
import {
  eight,
  eitherWay,
  fourOfEight,
  gridTable,
  joined,
  packedPlaces,
  places,
  pointTable,
  scaledHalf,
  sixteenNibbles,
} from './grid-parts.ts';
import { IQ2_XS_DOT } from './iq2-dot.ts';
import { codesOfPairs, keepDigits, packedWords, pointOfWord, spreadWords } from './iq2-parts.ts';
import {
  evenSigns,
  keepSigns,
  parityMatrix,
  signedCode,
  turnByBits,
  turnByMemory,
  ZERO,
} from './sign-parts.ts';
import { defineUnpack } from './unpack.ts';

const AT = { words: 2, scales: 66 } as const;

const signs = evenSigns((k, block, thirtyTwo, bits) => {
  k.x.mov(bits, mem(block, AT.words + 8 * thirtyTwo));
  k.x.pext(bits, bits, eight(k, 0, 254));
  k.x.pdep(bits, bits, eight(k, 127));
});

export const IQ2_XS = defineUnpack({
  format: 'IQ2_XS',
  blockBytes: 74,
  block: 256,
  offset: ZERO,
  most: ZERO + 43,
  scaled: 16,
  mostScale: 31,
  mins: false,
  header: (k, block) => ({
    d: scaledHalf(k, mem(block), 0.125),
    scales: sixteenNibbles(k, mem(block, AT.scales)),
  }),
  ...eitherWay(
    {
      setup: (k) => ({ grid: gridTable(k, iq2xsGrid(), signedCode) }),
      codes: (k, block, i, target, { grid }) =>
        k.scope(() => {
          const index = k.gpr('index');
          const packed = k.gpr('packed');
          joined(k, target, 32, (part, n) => {
            k.x.mov(packed, mem(block, AT.words + 8 * ((i * target.bytes) / 32 + n)));
            k.x.and(packed, eight(k, 255, 1));
            fourOfEight(k, part, packedPlaces(k, grid, packed, index, 8));
          });
          signs(k, block, i, packed);
          turnByBits(k, target, packed);
        }),
    },
    {
      setup: (k) => ({ ...keepDigits(k), ...keepSigns(k) }),
      share: (k, block, kept) => {
        const index = k.registers.zmm('index');
        const order = places(k, (place) => (place & 1 ? 0 : pointOfWord(place >> 1)));
        k.x.vmovdqu8(index, order);
        k.x.vpermw(index, index, mem(block, AT.words));
        const shared = packedWords(k, pointTable(k, iq2xsGrid().packed), index);
        // The upper bytes of the words: seven bits above the index's last.
        k.x.vmovdqu8(
          index,
          places(k, (place) => (2 * place + 1) & 63),
        );
        k.x.vpermb(index, index, mem(block, AT.words));
        k.x.vgf2p8affineqb(ymm(index), ymm(index), parityMatrix(k, 1), 0);
        k.x.vmovdqu_store(mem(kept.signs), ymm(index));
        k.free(index);
        return shared;
      },
      codes: (k, _block, i, target, kept, shared) => {
        spreadWords(k, codesOfPairs(k, iq2xsGrid(), signedCode), i, target, kept, shared);
        turnByMemory(k, target, mem(kept.signs, 8 * i));
      },
    },
  ),
  dot: IQ2_XS_DOT,
});
