/** Q3_K: fields of 2 bits and a third bit: bit j of byte i is that of weight 32 j + i. Codes count from -4, scales from -32. */
import { mem } from '../x64/index.ts';
import {
  bytesOf,
  dwords,
  held,
  orMasked,
  pairFields,
  pairShifts,
  shifted,
  sixteen,
  wideShifts,
} from './parts.ts';
import { defineUnpack } from './unpack.ts';

const CODES = 32;
/** Of a load that ends with the block: 2 bytes of codes, 12 of scales, d. */
const TAIL = 94;

export const Q3_K = defineUnpack({
  format: 'Q3_K',
  blockBytes: 110,
  block: 256,
  offset: 4,
  most: 7,
  scaled: 16,
  mostScale: 32,
  mins: false,
  setup: (k) => ({
    ...pairShifts(k),
    third: held(k, 'third', k.u8(4)),
    ...wideShifts(k, { up: [2, 1], down: [0, 1] }),
  }),
  header: (k, block) => {
    const [d, low, high] = ['d', 'low', 'high'].map((name) => k.registers.xmm(name));
    const scales = k.registers.ymm('scales');
    k.x.vmovdqu(d, mem(block, TAIL));
    // Low nibbles of 8 bytes, then high nibbles of the same; fields of 4 bytes, lowest first.
    k.x.vpshufb(low, d, bytesOf(k, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9]));
    k.x.vpsrlvq(low, low, dwords(k, [0, 0, 4, 0]));
    k.x.vpand(low, low, sixteen(k, 15));
    k.x.vpshufb(high, d, bytesOf(k, [10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13, 10, 11, 12, 13]));
    k.x.vpsrlvd(high, high, dwords(k, [0, 2, 4, 6]));
    k.x.vpand(high, high, sixteen(k, 3));
    k.x.vpslld(high, high, 4);
    k.x.vpor(low, low, high);
    k.x.vpsubb(low, low, sixteen(k, 32));
    k.x.vpmovsxbw(scales, low);
    k.x.vpsrldq(d, d, 14);
    k.x.vcvtph2ps(d, d);
    k.free(low, high);
    return { d, scales };
  },
  share: (k, block, kept) => {
    const bits = k.vec('bits');
    if (!k.level.avx512) {
      k.x.vmovdqu(bits, mem(block));
      return { bits, lower: bits };
    }
    const lower = k.vec('lower');
    k.x.vbroadcasti64x4(bits, mem(block));
    k.x.vpsllvd(lower, bits, kept.up);
    k.x.vpsrlvd(bits, bits, kept.down);
    return { bits, lower };
  },
  codes: (k, block, i, target, kept, shared) => {
    pairFields(k, mem(block, CODES), i, target, kept);
    k.scope(() => {
      const bits = k.vec('own bits');
      if (!k.level.avx512) shifted(k, bits, shared.bits, 2 - i);
      else if (i === 0) k.x.vmovdqu(bits, shared.lower);
      else shifted(k, bits, shared.bits, -2 * (i - 1));
      orMasked(k, target, bits, kept.third);
    });
  },
});
