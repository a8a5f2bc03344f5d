/** Q5_K: as Q4_K, with a fifth bit of each weight: bit j of byte i is that of weight 32 j + i. */
import { mem } from '../x64/index.ts';
import { held, nibbleMasks, orMasked, pairedNibbles, shifted, sixBitHeader, wideShifts } from './parts.ts';
import { defineUnpack } from './unpack.ts';

/** Bits 0 to 3 go up to the place of a fifth bit, bits 4 to 7 down: two at a time, one a half. */
const HIGH_BITS = 16;

export const Q5_K = defineUnpack({
  format: 'Q5_K',
  blockBytes: 176,
  block: 256,
  offset: 0,
  most: 31,
  scaled: 32,
  mostScale: 63,
  mins: true,
  setup: (k) => ({
    ...nibbleMasks(k),
    fifth: held(k, 'fifth', k.u8(16)),
    ...wideShifts(k, { up: [4, 3], down: [0, 1] }),
  }),
  header: sixBitHeader,
  share: (k, block, kept) => {
    if (!k.level.avx512) {
      const bits = held(k, 'bits', mem(block, HIGH_BITS));
      return { lower: bits, upper: bits };
    }
    const [lower, upper] = k.vecs('fifth bits', 2);
    k.x.vbroadcasti64x4(upper, mem(block, HIGH_BITS));
    k.x.vpsllvd(lower, upper, kept.up);
    k.x.vpsrlvd(upper, upper, kept.down);
    return { lower, upper };
  },
  codes: (k, block, i, target, kept, shared) => {
    pairedNibbles(k, mem(block, 48), i, target, kept);
    k.scope(() => {
      const bits = k.vec('own bits');
      if (k.level.avx512) shifted(k, bits, i < 2 ? shared.lower : shared.upper, -2 * (i & 1));
      else shifted(k, bits, shared.lower, 4 - i);
      orMasked(k, target, bits, kept.fifth);
    });
  },
});
