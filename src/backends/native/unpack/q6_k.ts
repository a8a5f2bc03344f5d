/** Q6_K: nibbles, upper fields of 2 bits, sixteen scales of a byte. Codes count from -32. */
import { mem, plus } from '../x64/index.ts';
import { half, held, orMasked, shifted, wideShifts } from './parts.ts';
import { defineUnpack } from './unpack.ts';

const UPPER = 128;
const SCALES = 192;

export const Q6_K = defineUnpack({
  format: 'Q6_K',
  blockBytes: 210,
  block: 256,
  offset: 32,
  most: 63,
  scaled: 16,
  mostScale: 128,
  mins: false,
  setup: (k) => ({
    nibble: held(k, 'nibble', k.u8(15)),
    field: held(k, 'field', k.u8(48)),
    ...wideShifts(k, { up: [4, 2], down: [0, 2] }),
  }),
  header: (k, block) => {
    const d = half(k, block, 208);
    const scales = k.registers.ymm('scales');
    k.x.vpmovsxbw(scales, mem(block, SCALES));
    return { d, scales };
  },
  codes: (k, block, i, target, kept) => {
    // Columns of 32 weights: of each half of the block the low nibbles of 64 bytes, then the high ones.
    const column = (i * k.level.bytes) / 32;
    const low = mem(block, 64 * (column >> 2) + 32 * (column & 1));
    if (column & 2) {
      k.x.vmovdqu(target, low);
      k.x.vpsrlw(target, target, 4);
      k.x.vpand(target, target, kept.nibble);
    } else k.x.vpand(target, kept.nibble, low);
    k.scope(() => {
      const upper = k.vec('upper');
      const place = plus(mem(block, UPPER), 32 * (column >> 2));
      if (k.level.avx512) {
        k.x.vbroadcasti64x4(upper, place);
        if (column & 2) k.x.vpsrlvd(upper, upper, kept.down);
        else k.x.vpsllvd(upper, upper, kept.up);
      } else {
        k.x.vmovdqu(upper, place);
        shifted(k, upper, upper, 4 - 2 * (column & 3));
      }
      orMasked(k, target, upper, kept.field);
    });
  },
});
