/** Q2_K: fields of 2 bits, sixteen scales and mins of a nibble. */
import { mem } from '../x64/index.ts';
import { pairFields, pairShifts, sixteen, twoHalves } from './parts.ts';
import { defineUnpack } from './unpack.ts';

export const Q2_K = defineUnpack({
  format: 'Q2_K',
  blockBytes: 84,
  block: 256,
  offset: 0,
  most: 3,
  scaled: 16,
  mostScale: 15,
  mins: true,
  setup: pairShifts,
  header: (k, block) => {
    const halves = twoHalves(k, block, 80);
    const [low, high] = [k.registers.xmm('low'), k.registers.xmm('high')];
    const [scales, mins] = [k.registers.ymm('scales'), k.registers.ymm('mins')];
    k.x.vmovdqu(low, mem(block));
    k.x.vpsrlw(high, low, 4);
    k.x.vpand(low, low, sixteen(k, 15));
    k.x.vpand(high, high, sixteen(k, 15));
    k.x.vpmovzxbw(scales, low);
    k.x.vpmovzxbw(mins, high);
    k.free(low, high);
    return { ...halves, scales, mins };
  },
  codes: (k, block, i, target, kept) => pairFields(k, mem(block, 16), i, target, kept),
});
