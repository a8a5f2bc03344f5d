/** MXFP4: FP4 values, doubled to be integers; their scale is a power of two. */
import { FP4_DOUBLED } from '../../../quants/index.ts';
import { mem } from '../x64/index.ts';
import { blockNibbleMasks, blockNibbles, dwords } from './parts.ts';
import { lookUp, tableOf } from './tables.ts';
import { defineUnpack } from './unpack.ts';

const OFFSET = 12;

export const MXFP4 = defineUnpack({
  format: 'MXFP4',
  blockBytes: 17,
  block: 32,
  offset: OFFSET,
  most: 24,
  scaled: undefined,
  mostScale: 1,
  mins: false,
  setup: (k) => ({ ...blockNibbleMasks(k), table: tableOf(k, FP4_DOUBLED, OFFSET) }),
  header: (k, block) => {
    const [d, one] = [k.registers.xmm('d'), k.registers.xmm('one')];
    // 2 ** (e - 128) as f32 bits: (e - 1) << 23, and where that is not positive a subnormal, (e + 1) << 21.
    k.zero(d);
    k.x.vpinsrb(d, d, mem(block), 0);
    k.x.vpminud(one, d, dwords(k, [1, 1, 1, 1]));
    k.x.vpaddd(d, d, dwords(k, [-1, -1, -1, -1]));
    k.x.vpslld(d, d, 23);
    k.x.vpaddd(one, one, dwords(k, [1, 1, 1, 1]));
    k.x.vpslld(one, one, 21);
    k.x.vpmaxsd(d, d, one);
    k.free(one);
    return { d };
  },
  codes: (k, block, _, target, kept) => {
    blockNibbles(k, mem(block, 1), target, kept);
    lookUp(k, kept.table, target);
  },
});
